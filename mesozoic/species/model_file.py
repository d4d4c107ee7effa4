"""Compiles an animal's MJCF, or says in one sentence what is wrong with the file."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from mesozoic.errors import UserError, shown
from mesozoic.files import read_text

if TYPE_CHECKING:
    from mesozoic.species.simulator import mujoco

MODEL_LIMIT = 10_000_000
"""Bytes of MJCF."""
COUNTS = ("width", "height", "count", "nrow", "ncol")
MOST = 8192
"""Of rows, columns, pixels or copies: what asks for more fills the memory."""


def compile_model(path: Path, visual: bool = True) -> mujoco.MjModel:
    """Compile the MJCF at `path`, or only what of it moves and touches.

    From then on MuJoCo's warnings are neither printed nor written to a log file.

    They are about worlds that diverge, which the engines count and the task ends.

    Raises:
        UserError: it cannot be read, is not XML, names files that are none, or MuJoCo does not take it.
    """
    from mesozoic.species.simulator import mujoco

    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_ignore)
    where = shown(str(path), 120)
    _check_xml(path, where)
    try:
        if visual:
            return mujoco.MjModel.from_xml_path(str(path))
        spec = mujoco.MjSpec.from_file(str(path))
        spec.compiler.discardvisual = True
        return spec.compile()
    except (ValueError, mujoco.FatalError) as error:
        said = " ".join(str(error).replace(str(path), path.name).split())
        raise UserError(f"{where} is no model that MuJoCo takes ({shown(said, 140)}); correct it") from None


def _ignore(message: str) -> None:
    """Instead of a line on the screen, and one in MUJOCO_LOG.TXT wherever the user happens to be."""


def _check_xml(path: Path, where: str) -> None:
    """What MuJoCo would wait for, or fill the memory with, instead of refusing it."""
    text = read_text(path, MODEL_LIMIT)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"{where} declares a document type or entities; MJCF has none, so remove them")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{where} is not valid XML ({shown(str(error), 100)}); correct that line") from None
    for element in root.iter():
        tag = shown(element.tag, 30)
        for key in COUNTS:
            number = element.get(key, "")
            if number.strip().isdigit() and (len(number) > 9 or int(number) > MOST):
                raise UserError(f'{where}: <{tag} {key}="{shown(number, 20)}"> is more than {MOST}; lower it')
        name = element.get("file")
        if name is not None and not _plain_or_missing(path, root, name):
            raise UserError(f'{where}: <{tag} file="{shown(name, 60)}"> is no plain file; put one there')


def _plain_or_missing(path: Path, root: ElementTree.Element, name: str) -> bool:
    """Whether a file that a model names is a plain one, or not there, in whichever folder MuJoCo looks for it."""
    compilers = root.findall(".//compiler")
    folders = {one.get(key) or "" for one in compilers for key in ("assetdir", "meshdir", "texturedir")}
    for folder in {"", *folders}:
        try:
            if not stat.S_ISREG((path.parent / folder / name).stat().st_mode):
                return False
        except (OSError, ValueError):
            continue
    return True
