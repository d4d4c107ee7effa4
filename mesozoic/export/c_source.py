"""An export as C99 without dependencies: a header with the sizes, and a source with weights, function and self-test."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np

from mesozoic.errors import UserError, plain, shown
from mesozoic.export.npz_file import servos
from mesozoic.export.vectors import Floats, Run
from mesozoic.learn.policy import Policy

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic")
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 120
"""After which a compiler or a self-test is not waited for any longer."""
HIDDEN = {
    "elu": "x > 0.0 ? x : expm1(x)",
    "tanh": "tanh(x)",
    "relu": "x > 0.0 ? x : 0.0",
}
OUTPUTS = {"clip": "x < -1.0 ? -1.0 : x > 1.0 ? 1.0 : x", "tanh": "tanh(x)"}

HEADER = """/* {title}. Made by mesozoic {mesozoic}.
 * Facts about it, as JSON: {base}.json
 * Observation, {obs} floats:
{layout}
 * Action, {act} floats in [-1, 1]; servo targets in radians, in this order:
{joints}
 */
#ifndef {guard}_H
#define {guard}_H

#define {guard}_OBS {obs}
#define {guard}_ACTIONS {act}
#define {guard}_CONTROL_PERIOD {period!r} /* seconds */

#ifdef __cplusplus
extern "C" {{
#endif
/* Allocates nothing, keeps nothing between calls. An observation that is not finite gives no useful action. */
void {prefix}_act(const float obs[{guard}_OBS], float actions[{guard}_ACTIONS], float targets[{guard}_ACTIONS]);

/* Runs the {count} test vectors; the largest difference, which should be below {tolerance!r}. */
double {prefix}_self_test(void);
#ifdef __cplusplus
}}
#endif
#endif
"""

SOURCE = """/* {title}. Made by mesozoic {mesozoic}. Self-test: cc -DMESOZOIC_MAIN {base}.c -lm && ./a.out */
#include "{base}.h"
#include <math.h>

{arrays}
static double cut(double x, double low, double high) {{ return x < low ? low : x > high ? high : x; }}

static void layer(const float *kernel, const float *bias, const double *in, int n_in, double *out, int n_out) {{
    for (int j = 0; j < n_out; j++) out[j] = (double)bias[j];
    for (int i = 0; i < n_in; i++)
        for (int j = 0; j < n_out; j++) out[j] += in[i] * (double)kernel[i * n_out + j];
}}

void {prefix}_act(const float obs[{guard}_OBS], float actions[{guard}_ACTIONS], float targets[{guard}_ACTIONS]) {{
    double a[{widest}], b[{widest}];
    for (int i = 0; i < {obs}; i++) {{
        a[i] = cut(((double)obs[i] - (double)mean[i]) / (double)std[i], -{clip!r}, {clip!r});
    }}
{layers}    for (int i = 0; i < {act}; i++) {{
        const double x = {last}[i];
        actions[i] = (float)({output});
        const double wanted = (double)home[i] + (double)scale[i] * (double)actions[i];
        targets[i] = (float)cut(wanted, (double)low[i], (double)high[i]);
    }}
}}

static double worse(double worst, double off) {{
    off = fabs(off);
    return off <= worst || worst != worst ? worst : off; /* what is no number is the worst, and stays */
}}

double {prefix}_self_test(void) {{
    double worst = 0.0;
    for (int k = 0; k < {count}; k++) {{
        float actions[{act}], targets[{act}];
        {prefix}_act(test_obs + k * {obs}, actions, targets);
        for (int i = 0; i < {act}; i++) {{
            worst = worse(worst, (double)actions[i] - (double)test_actions[k * {act} + i]);
            worst = worse(worst, (double)targets[i] - (double)test_targets[k * {act} + i]);
        }}
    }}
    return worst;
}}

#ifdef MESOZOIC_MAIN
#include <stdio.h>
int main(void) {{
    const double worst = {prefix}_self_test();
    printf("largest difference %.3g\\n", worst);
    return worst <= {tolerance!r} ? 0 : 1;
}}
#endif
"""

LAYER = """    layer(kernel_{i}, bias_{i}, {into}, {rows}, {out}, {columns});
"""
BENT = """    for (int i = 0; i < {columns}; i++) {{
        const double x = {out}[i];
        {out}[i] = {hidden};
    }}
"""


def c_files(policy: Policy, contract: dict[str, Any], name: str) -> dict[str, bytes]:
    """`name`.h and `name`.c; the functions are called after the animal and the stage.

    Raises:
        UserError: `name` cannot stand in an `#include`.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", name):
        raise UserError(
            f"'{shown(name)}' cannot name C source; give an --output of letters, digits, points, dashes and underscores"
        )
    prefix = prefix_of(contract)
    layers, buffers = "", ("a", "b")
    for i in range(policy.layers):
        rows, columns = policy.arrays[f"actor/{i}/kernel"].shape
        into, out = buffers[i % 2], buffers[(i + 1) % 2]
        layers += LAYER.format(i=i, into=into, out=out, rows=rows, columns=columns)
        if i < policy.layers - 1:
            layers += BENT.format(columns=columns, out=out, hidden=HIDDEN[policy.activation])
    layout = [f"{row['at']:4d} {row['name']} [{row['size']}] in {row['unit']}" for row in contract["observation"]]
    facts = {
        "title": _harmless(f"{contract['title']}, stage {contract['stage']} ({contract['stage_name']})"),
        "mesozoic": contract["provenance"]["mesozoic"],
        "base": name,
        "prefix": prefix,
        "guard": prefix.upper(),
        "obs": policy.observation_size,
        "act": policy.action_size,
        "period": contract["control_period"],
        "count": len(contract["vectors"]),
        "tolerance": contract["tolerance"],
        "clip": float(contract["normaliser"]["clip"]),
        "layout": _comment(layout),
        "joints": _comment(f"{i:4d} {row['joint']}" for i, row in enumerate(contract["action"])),
        "widest": max(policy.observation_size, policy.action_size, *policy.hidden, 1),
        "layers": layers,
        "last": buffers[policy.layers % 2],
        "output": OUTPUTS[policy.output],
        "arrays": "\n".join(_arrays(policy, contract)),
    }
    return {f"{name}.h": HEADER.format(**facts).encode(), f"{name}.c": SOURCE.format(**facts).encode()}


def prefix_of(contract: dict[str, Any]) -> str:
    """What the names of the C functions begin with."""
    return f"{contract['species']}_stage{contract['stage']}"


def _comment(lines: Iterable[str]) -> str:
    """Lines inside a comment, which none of them can end."""
    return "\n".join(f" * {_harmless(line)}" for line in lines)


def _harmless(text: str) -> str:
    """A text that neither ends nor begins a comment, nor goes on in the next line."""
    return plain(text).replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")


def _arrays(policy: Policy, contract: dict[str, Any]) -> Iterable[str]:
    """Definitions of all constants, as hexadecimal floats: exact in every bit."""
    named: dict[str, Any] = {"mean": policy.arrays["norm/mean"], "std": policy.arrays["norm/std"]}
    for i in range(policy.layers):
        named |= {f"{kind}_{i}": policy.arrays[f"actor/{i}/{kind}"] for kind in ("kernel", "bias")}
    named |= servos(contract)
    named |= {f"test_{key}": [row[key] for row in contract["vectors"]] for key in ("obs", "actions", "targets")}
    for name, values in named.items():
        flat = np.asarray(values, dtype=np.float32).ravel()
        rows = [", ".join(f"{_hexadecimal(value)}f" for value in flat[i : i + 8]) for i in range(0, len(flat), 8)]
        body = ",\n    ".join(rows)
        yield f"static const float {name}[{len(flat)}] = {{\n    {body}}};\n"


def _hexadecimal(value: float) -> str:
    mantissa, _, exponent = float(value).hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"


def run_c(file: Path, contract: dict[str, Any]) -> Run:
    """The source, compiled here with every warning an error, as a function.

    Raises:
        UserError: there is no C compiler here, or it refuses the source.
    """
    compiler = next((found for found in map(which, COMPILERS) if found), None)
    if compiler is None:
        raise UserError(
            "--check of a C export needs a C compiler (cc, gcc or clang); install one, or leave --check out"
        )
    library = file.with_suffix(".so")
    command = [compiler, *FLAGS, "-fPIC", "-shared", "-o", str(library), str(file), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(f"{compiler} did not end within {SECONDS} s; try again, or leave --check out") from None
    if done.returncode:
        said = " ".join(done.stderr.split())[:200]
        raise UserError(f"{compiler} refuses the source ({said}); leave --check out to keep it all the same")
    prefix, actions = prefix_of(contract), len(contract["action"])
    act = getattr(ctypes.CDLL(str(library)), f"{prefix}_act")
    pointer = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
    act.argtypes, act.restype = [pointer] * 3, None

    def run(observation: Floats) -> tuple[Floats, Floats]:
        found = np.empty((2, len(observation), actions), dtype=np.float32)
        for i, row in enumerate(observation):
            act(np.ascontiguousarray(row), found[0, i], found[1, i])
        return found[0], found[1]

    return run
