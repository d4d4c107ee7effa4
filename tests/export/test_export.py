"""Exports compute what the policy does, in ONNX, NumPy and C, and say everything that is needed to run them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copy, copytree, which

import numpy as np
import pytest
from support.animal_package import copy_animal

from mesozoic import task
from mesozoic.errors import UserError
from mesozoic.export import policy_export
from mesozoic.export.contract import TOLERANCE
from mesozoic.export.policy_export import FORMATS, export_policy
from mesozoic.export.vectors import Vectors
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.policies import shipped_policy, shipped_stages
from mesozoic.species import get_species, species_names
from mesozoic.species.anatomy import anatomy_of

SHIPPED = [(name, stage) for name in ("velociraptor", "trex", "brachiosaurus") for stage in shipped_stages(name)]
OLD_RUN = Path(__file__).parents[1] / "run" / "old_run"
COMPILER = which("cc") or which("gcc") or which("clang")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def needs_onnx() -> None:
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra [export]")


def contract_in(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.parametrize(("species", "stage"), SHIPPED)
def test_every_shipped_policy_is_an_onnx_graph_that_agrees(species: str, stage: int, tmp_path: Path) -> None:
    """`onnx.checker` takes it, and onnxruntime gives its actions and servo targets within 1e-6, also in a batch."""
    needs_onnx()
    import onnx
    import onnxruntime

    done = export_policy(Path(species), stage, output=tmp_path / "policy.onnx", check=True)
    assert done.error is not None and done.error <= TOLERANCE == 1e-6
    model = onnx.load(tmp_path / "policy.onnx")
    onnx.checker.check_model(model, full_check=True)
    vectors = done.contract["vectors"]
    assert len(vectors) == 16
    session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"), providers=["CPUExecutionProvider"])
    batch = {key: np.array([row[key] for row in vectors], dtype=np.float32) for key in ("obs", "actions", "targets")}
    found = dict(zip(("actions", "targets"), session.run(["actions", "targets"], {"obs": batch["obs"]}), strict=True))
    for key, value in found.items():
        assert np.abs(value - batch[key]).max() <= 1e-6
    policy = load_policy(shipped_policy(species, stage))
    animal = get_species(species)
    anatomy = anatomy_of(animal, animal.load_model())
    assert np.abs(found["actions"] - policy.act(batch["obs"])).max() <= 2e-6
    assert np.abs(found["targets"] - task.servo_targets(np, anatomy, found["actions"])).max() <= 1e-6
    assert np.abs(batch["actions"]).max() <= 1.0 and np.abs(batch["actions"]).max() > 0.1


def test_deployers_find_the_metadata_that_they_read(tmp_path: Path) -> None:
    """Keys of mjlab's exporter, from which `default_joint_pos + action_scale * action` is the servo target."""
    needs_onnx()
    import onnx

    export_policy(Path("trex"), 2, output=tmp_path / "t.onnx")
    model = onnx.load(tmp_path / "t.onnx")
    assert [value.name for value in model.graph.input] == ["obs"]
    assert [value.name for value in model.graph.output] == ["actions", "targets"]
    props = {row.key: row.value for row in model.metadata_props}
    keys = "run_path joint_names joint_stiffness joint_damping default_joint_pos action_scale command_names"
    assert {*keys.split(), "observation_names"} <= set(props)
    lists = {key: props[key].split(",") for key in props if key not in ("mesozoic", "run_path")}
    contract = json.loads(props["mesozoic"])
    assert contract == contract_in(tmp_path, "t")
    size = len(contract["action"])
    assert {len(lists[key]) for key in ("joint_names", "joint_stiffness", "default_joint_pos", "action_scale")} == {
        size
    }
    assert (
        sum(row["size"] for row in contract["observation"])
        == model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    )
    assert lists["observation_names"] == [row["name"] for row in contract["observation"]]
    pose, scale = (np.array(lists[key], dtype=float) for key in ("default_joint_pos", "action_scale"))
    limits = np.array([row["limits"] for row in contract["action"]])
    for row in contract["vectors"]:
        targets = np.clip(pose + scale * np.array(row["actions"]), limits[:, 0], limits[:, 1])
        assert np.abs(targets - row["targets"]).max() < 1e-6


def test_the_contract_says_what_is_needed_to_run_it(tmp_path: Path) -> None:
    """Joint order, period, limits, hashes, versions, the seed and what the gate said; every block has a unit."""
    import mujoco

    export_policy(Path("velociraptor"), 3, to="npz", output=tmp_path / "v.npz")
    contract = contract_in(tmp_path, "v")
    model = get_species("velociraptor").load_model()
    assert [row["name"] for row in contract["joints"]] == [model.joint(i).name for i in range(1, model.njnt)]
    assert [row["name"] for row in contract["action"]] == [model.actuator(i).name for i in range(model.nu)]
    assert contract["control_period"] == 0.02
    assert all(row["unit"] and row["meaning"] for row in contract["observation"])
    provenance = contract["provenance"]
    assert provenance["mujoco"] == mujoco.__version__
    assert provenance["seed"] == 0 and provenance["gate"]["passed"] is True
    assert [one["name"] for one in provenance["gate"]["criteria"]][:2] == ["success", "success_low"]
    for key in ("model_sha256", "policy_sha256"):
        assert len(provenance[key]) == 64


@pytest.mark.parametrize("species", ["velociraptor", "trex", "brachiosaurus"])
def test_arrays_run_with_numpy_alone(species: str, tmp_path: Path) -> None:
    """A program that knows NumPy and the names of the arrays gives the actions; nothing in the file is pickled."""
    done = export_policy(Path(species), 2, to="npz", output=tmp_path / "p.npz", check=True)
    assert done.error is not None and done.error <= 1e-6
    program = (
        "import sys, numpy as np\n"
        "for name in ('mesozoic', 'mujoco', 'jax'): sys.modules[name] = None\n"
        "a = np.load('p.npz', allow_pickle=False)\n"
        "x = np.clip((a['test_obs'] - a['mean']) / a['std'], -a['clip'], a['clip'])\n"
        "for i in range(int(a['layers'])):\n"
        "    x = x @ a[f'kernel_{i}'] + a[f'bias_{i}']\n"
        "    x = np.where(x > 0, x, np.expm1(np.minimum(x, 0))) if i < a['layers'] - 1 else np.clip(x, -1, 1)\n"
        "targets = np.clip(a['home'] + a['scale'] * x, a['low'], a['high'])\n"
        "print(max(abs(x - a['test_actions']).max(), abs(targets - a['test_targets']).max()))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(result.stdout) <= 1e-6


@needs_compiler
@pytest.mark.parametrize("species", ["velociraptor", "brachiosaurus"])
def test_c_source_compiles_without_a_warning_and_passes_its_vectors(species: str, tmp_path: Path) -> None:
    done = export_policy(Path(species), 3, to="c", output=tmp_path / "p.c", check=True)
    assert done.error is not None and done.error <= 1e-6
    assert COMPILER is not None
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-DMESOZOIC_MAIN"]
    subprocess.run([COMPILER, *flags, "-o", "test", "p.c", "-lm"], cwd=tmp_path, check=True)
    said = subprocess.run(["./test"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("largest difference")
    wrong = (tmp_path / "p.c").read_text().replace("x > 0.0 ? x : expm1(x)", "x > 0.0 ? x : 0.0")
    (tmp_path / "p.c").write_text(wrong)
    subprocess.run([COMPILER, *flags, "-o", "test", "p.c", "-lm"], cwd=tmp_path, check=True)
    assert subprocess.run(["./test"], cwd=tmp_path, capture_output=True).returncode == 1


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("output", ["clip", "tanh"])
def test_every_activation_and_output_has_its_counterpart_in_every_format(
    activation: str, output: str, tmp_path: Path
) -> None:
    policy = replace(load_policy(shipped_policy("trex", 1)), activation=activation, output=output)
    (tmp_path / "other.zip").write_bytes(policy.to_bytes())
    formats = ["npz", *(["c"] if COMPILER else [])]
    for to in formats:
        done = export_policy(tmp_path / "other.zip", to=to, check=True)
        assert done.error is not None and done.error <= 1e-6, to
    needs_onnx()
    done = export_policy(tmp_path / "other.zip", check=True)
    assert done.error is not None and done.error <= 1e-6


@pytest.mark.parametrize("to", ["npz", "c"])
def test_equal_policies_give_equal_files(to: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export_policy(Path("velociraptor"), 1, to=to, output=tmp_path / name / f"p{FORMATS[to].suffix}")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_what_fails_its_check_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that computes something else, or nothing finite, leaves no file behind."""
    real = FORMATS["npz"]
    for change in (lambda x: x + 1e-3, lambda x: x * np.nan):

        def wrong(*args: object, change: Callable = change) -> Callable:
            run = real.run(*args)  # type: ignore[arg-type]
            return lambda observation: tuple(change(one) for one in run(observation))

        monkeypatch.setitem(policy_export.FORMATS, "npz", replace(real, run=wrong))
        done = export_policy(Path("trex"), 1, to="npz", output=tmp_path / "p.npz", check=True)
        assert not done.sound and list(tmp_path.iterdir()) == []


def test_vectors_notice_what_is_not_finite() -> None:
    rows = np.zeros((2, 3), dtype=np.float32)
    vectors = Vectors(rows, rows, rows)
    assert vectors.error(lambda x: (x, x + np.float32(0.5))) == 0.5
    assert vectors.error(lambda x: (np.array([[np.nan] * 3, [0.0] * 3]), x)) == np.inf


def test_a_run_folder_exports_beside_its_policy_with_what_its_gate_said(tmp_path: Path) -> None:
    run = tmp_path / "run"
    copytree(OLD_RUN, run)
    models, result = run / "stage1" / "models", json.loads((run / "stage1" / "metrics.json").read_text())
    found = export_policy(run, to="npz", check=True)
    assert found.sound and found.files == (models / "stage1_final.npz", models / "stage1_final.json")
    provenance = found.contract["provenance"]
    assert provenance["gate"] == {"passed": result["stage_passed"], "criteria": result["gate"]}
    assert provenance["seed"] == result["seed"]
    copy(models / "stage1_final.zip", models / "best_model.zip")
    best = export_policy(models / "best_model.zip", to="npz").contract["provenance"]
    assert best["seed"] == result["seed"] and best["gate"] is None, "the gate judged the final policy"
    copy(models / "stage1_final.zip", tmp_path / "alone.zip")
    assert export_policy(tmp_path / "alone.zip", to="npz").contract["provenance"]["gate"] is None
    (run / "stage1" / "metrics.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        export_policy(run, to="npz")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "onx"}, "did you mean 'onnx'"),
        ({"to": "c", "output": Path("x.onnx")}, "does not end in .c"),
        ({"to": "c", "output": Path("a b.c")}, "cannot name C source"),
        ({"stage": 7}, "there are stages 1, 2, 3"),
        ({"to": "npz", "output": Path("/dev/null/x.npz")}, "cannot write"),
    ],
)
def test_a_mistake_is_one_sentence(options: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        export_policy(Path("trex"), **options)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_export, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs onnx; run: pip install 'mesozoic\[export\]'"):
        export_policy(Path("trex"), output=tmp_path / "t.onnx")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="C compiler"):
        export_policy(Path("trex"), to="c", output=tmp_path / "t.c", check=True)
    assert list(tmp_path.iterdir()) == []


@needs_compiler
def test_names_of_a_strangers_animal_do_not_end_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text of `facts.toml` stands in the source; it can neither break it nor become code."""
    folder = copy_animal(tmp_path / "raptor", stages=(1,))
    facts = folder / "facts.toml"
    title = "x */ int main(void) { return 1; } /* \\\\"
    facts.write_text(facts.read_text().replace('title = "Velociraptor mongoliensis"', f'title = "{title}"'))
    policy: Policy = replace(load_policy(shipped_policy("velociraptor", 1)), species="raptor")
    (tmp_path / "p.zip").write_bytes(policy.to_bytes())
    from mesozoic.species import registry

    real = registry.species_folder
    patched = lambda name: folder if name == "raptor" else real(name)  # noqa: E731
    for module in [m for m in list(sys.modules.values()) if getattr(m, "species_folder", None) is real]:
        monkeypatch.setattr(module, "species_folder", patched)
    done = export_policy(tmp_path / "p.zip", to="c", check=True)
    assert done.sound and "*/ int" not in (tmp_path / "p.h").read_text()
    assert "raptor" not in species_names()


def test_export_needs_neither_jax_nor_torch_nor_gl(tmp_path: Path) -> None:
    """In a process in which none of them can be imported."""
    blocked = [*("jax", "jaxlib", "flax", "optax", "torch"), *("OpenGL", "glfw", "mujoco.gl_context", "matplotlib")]
    words = ["export", "trex", "--format", "npz", "--check", "--output", str(tmp_path / "t.npz")]
    program = (
        f"import sys\nfor name in {blocked}: sys.modules[name] = None\n"
        f"sys.argv = ['mesozoic', *{words}]\n"
        "from mesozoic.cli.app import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("check: agrees") and done.stdout.count("wrote") == 2
    assert zipfile.is_zipfile(tmp_path / "t.npz")
