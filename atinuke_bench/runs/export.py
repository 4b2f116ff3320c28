"""A trained run as a folder for others: for this package, or for transformers.

For this package (`atinuke-bench`):
  atinuke-bench.json   the run's config, what was chosen in training, its protocol, digests of its code, checksums of
                       the other two
  weights.safetensors  core and head, under their names in the module
  tokenizer.json       the tokenizer

For transformers: config.json, model.safetensors and the tokenizer's files, of the core alone, or of a tagger.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from tokenizers import Tokenizer
from torch import Tensor

from atinuke_bench.config import RunConfig, parse
from atinuke_bench.core.encoder import AttentionCore
from atinuke_bench.core.pretrained import PretrainedCore
from atinuke_bench.core.pretrained_files import ARCHITECTURE, TOKENIZER, WEIGHTS
from atinuke_bench.data.tokenizer import special_tokens
from atinuke_bench.errors import CheckpointError, ConfigError, RunFolderError
from atinuke_bench.files import file_problem, make_folder, read_json, sha256_file, write_bytes, write_json, write_text
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.bert import bert_config, bert_weights, require_bert
from atinuke_bench.runs.token_classifier import with_classifier
from atinuke_bench.source_code import recorded_code
from atinuke_bench.training.predict import Predictor, build_predictor, load_predictor
from atinuke_bench.training.task import TaskModel, task_of

SCHEMA = 1
CARD = "atinuke-bench.json"
MODULE_WEIGHTS = "weights.safetensors"
FORMATS = ("atinuke-bench", "transformers")


def export_run(folder: RunFolder, out: Path, form: str = "atinuke-bench") -> list[str]:
    """Write a finished run to the new or empty folder `out`; the names of its files.

    The folder is there whole or not at all. ConfigError when `out` holds something, or names the field of the core's
    config that transformers has no place for.
    """
    if form not in FORMATS:
        raise ConfigError(f"an export is for {' or '.join(FORMATS)}; found {form!r}")
    predictor = load_predictor(folder)
    write: Callable[[Path], None] = (
        _writer(predictor, folder) if form == "atinuke-bench" else _transformers_writer(predictor)
    )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out: a new or empty folder is needed, since nothing is overwritten; found {out}")
    make_folder(out.absolute().parent)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    try:
        write(scratch)
        scratch.chmod(0o755)
        if out.exists():
            out.rmdir()
        scratch.rename(out)
    except OSError as error:
        raise RunFolderError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return sorted(path.name for path in out.iterdir())


def head_note(folder: RunFolder, out: Path) -> str | None:
    """Why the head of a run is not in its export for transformers; None where it is."""
    if not (out / ARCHITECTURE).is_file():
        return None
    if read_json(out / ARCHITECTURE)["architectures"][0].endswith("ForTokenClassification"):
        return None
    model = task_of(folder.read_config()).model
    if type(model).token_classifier is not TaskModel.token_classifier:
        return "the core alone: transformers' model for token classification of this core has another head"
    return f"the core alone: the head {model.other_head}; --format atinuke-bench keeps it"


def load_exported(folder: str | Path) -> Predictor:
    """The predictor of an exported folder; RunFolderError or CheckpointError when a file is missing or damaged."""
    folder = Path(folder)
    if not is_exported(folder):
        raise RunFolderError(f"{folder}: not an exported run (it has no {CARD})")
    card = read_json(folder / CARD)
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        raise RunFolderError(f"{folder / CARD}: not an export of schema {SCHEMA}")
    for name, expected in card["sha256"].items():
        path = folder / Path(name).name
        if file_problem(path, expected):
            raise CheckpointError(f"{path}: missing or damaged (its checksum is not the one in {CARD})")
    run = parse(RunConfig, card["config"], str(folder / CARD))
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    predictor = build_predictor(run, tokenizer, card["calibration"])
    try:
        predictor.module.load_state_dict(load_file(folder / MODULE_WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder / MODULE_WEIGHTS}: weights of another model") from error
    return predictor


def is_exported(folder: Path) -> bool:
    """True for a folder of `export_run` for this package."""
    return (folder / CARD).is_file()


def open_predictor(place: str | Path) -> Predictor:
    """The predictor of a run folder or of an exported one."""
    place = Path(place)
    return load_exported(place) if is_exported(place) else load_predictor(RunFolder(place))


def code_record(place: Path) -> Path:
    """The file that records the code of a run, in its folder or an exported one."""
    return place / CARD if is_exported(place) else RunFolder(place).manifest


def _writer(predictor: Predictor, folder: RunFolder) -> Callable[[Path], None]:
    result, code = folder.read_result(), recorded_code(folder.manifest)

    def write(out: Path) -> None:
        weights = {name: _detached(tensor) for name, tensor in predictor.module.state_dict().items()}
        write_bytes(out / MODULE_WEIGHTS, save(weights))
        write_text(out / TOKENIZER, predictor.tokenizer.to_str())
        card = {
            "schema": SCHEMA,
            "config": _portable(predictor.run),
            "calibration": dict(predictor.calibration),
            "code": None if code is None else asdict(code),
            "sha256": {name: sha256_file(out / name) for name in (MODULE_WEIGHTS, TOKENIZER)},
        }
        kept = ("identity", "task", "core_label", "seed", "score", "metric", "split", "scores", "protocol")
        write_json(out / CARD, card | {"result": {name: result[name] for name in kept}})

    return write


def _portable(run: RunConfig) -> dict[str, Any]:
    """A run's config without the places of this machine."""
    record = run.model_dump(mode="json")
    record["source"]["data_dir"] = None
    record["init_from"] = None
    if run.core.has_tokenizer:
        record["core"]["model"] = record["core"]["known_as"]
    return record


def _transformers_writer(predictor: Predictor) -> Callable[[Path], None]:
    core, tokenizer = predictor.module.core, predictor.tokenizer
    if not isinstance(core, PretrainedCore):
        require_bert(core)
    specials = special_tokens(tokenizer)
    names = {"cls": specials.cls, "sep": specials.sep, "unk": specials.unk, "mask": specials.mask}
    named = {f"{name}_token": tokenizer.id_to_token(id_) for name, id_ in names.items() if id_ is not None}
    pad = next((name for name in ("[PAD]", "<pad>") if tokenizer.token_to_id(name) is not None), None)
    named |= {"pad_token": pad} if pad is not None else {}

    def write(out: Path) -> None:
        if isinstance(core, PretrainedCore):
            config = {**core.encoder.config.to_dict(), "architectures": [type(core.encoder).__name__]}
            config.pop("_name_or_path", None)
            weights = {name: _detached(tensor) for name, tensor in core.encoder.state_dict().items()}
        else:
            assert isinstance(core, AttentionCore), "require_bert comes first"
            config = bert_config(core, core.vocab_size)
            weights = bert_weights(core, has_segments=predictor.task.gives_segments)
        config, weights = with_classifier(predictor, config, weights)
        write_json(out / ARCHITECTURE, config)
        write_bytes(out / WEIGHTS, save(weights, metadata={"format": "pt"}))
        write_text(out / TOKENIZER, tokenizer.to_str())
        length = getattr(core.config, "max_positions", None)
        has_segments = not isinstance(core, PretrainedCore) or core.takes_segments
        inputs = ["input_ids", *(["token_type_ids"] if has_segments else []), "attention_mask"]
        record = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": inputs, **named}
        write_json(out / "tokenizer_config.json", record | ({"model_max_length": length} if length else {}))

    return write


def _detached(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().clone()
