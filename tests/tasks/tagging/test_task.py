"""A corpus in another script, from a YAML file of four lines, with every core."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch

from atinuke_bench.runs.export import export_run
from atinuke_bench.runs.recompute import contradictions
from atinuke_bench.tasks.tagging.columns import Columns
from atinuke_bench.tasks.tagging.files import TaggingFiles
from atinuke_bench.tasks.tagging.metric import SEQEVAL_F1
from atinuke_bench.testing import check_task
from atinuke_bench.training.predict import load_predictor


@pytest.mark.parametrize("core", ["majority", "bilstm", "atinuke", "transformer", "bert", "roberta"])
def test_named_entities_in_devanagari_with_every_core(hindi, make_tagging, carry_out, model_folder, core):
    path = hindi / "hindi.yaml"
    if core in ("bert", "roberta"):
        run = make_tagging(path, "pretrained", core__model=str(model_folder(core)))
    else:
        run = make_tagging(path, core)
    prepared, folder, result = carry_out(run)
    assert result["task"] == "tagging/hindi"
    assert set(result["scores"]) == {"dev", "test"}
    assert {"seqeval_f1", "precision", "recall", "accuracy"} <= result["scores"]["test"].keys()
    assert set(result["slices"]["test"]["type"]) <= {"LOC", "PER"}
    assert result["resampled"]["unit"] == "document"
    assert result["resampled"]["num_units"] == 12
    assert prepared.run.options["labels"] == ["LOC", "PER"]
    assert contradictions(folder, result) == []
    written = folder.path / "test.conll"
    scored = TaggingFiles(SEQEVAL_F1, Columns(0, 1)).score(written, written)
    assert scored["seqeval_f1"] == pytest.approx(result["score"])


def test_it_is_learned(hindi, make_tagging, carry_out):
    run = make_tagging(hindi / "hindi.yaml", training__max_epochs=15, training__learning_rate=0.01)
    _, folder, result = carry_out(run)
    assert result["score"] > 90
    predictor = load_predictor(folder)
    answers = predictor.predict([{"words": "मोहन दास नई दिल्ली में"}, {"words": ["राम"]}])
    assert [answer.prediction for answer in answers] == [["B-PER", "I-PER", "B-LOC", "I-LOC", "O"], ["B-PER"]]
    assert next(predictor.stream(["सीता मुंबई में\n"])).prediction == ["B-PER", "B-LOC", "O"]
    (answer,) = predictor.stream(["मोहन दास नई दिल्ली में\n"], probabilities=True)
    assert [max(word, key=word.get) for word in answer.probabilities] == answer.prediction
    assert [sum(word.values()) for word in answer.probabilities] == pytest.approx([1] * 5)
    assert answer.probabilities[0]["I-PER"] == 0  # which may not be first


@pytest.mark.parametrize("core", ["transformer", "bert", "roberta"])
def test_a_tagger_is_exported_with_its_head(hindi, make_tagging, carry_out, model_folder, tmp_path, core):
    transformers = pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    changes = {"training__max_epochs": 1, "options__pooling": "first"}
    if core == "transformer":
        run = make_tagging(hindi / "hindi.yaml", core, core__positions="learned", core__norm="post", **changes)
    else:
        run = make_tagging(hindi / "hindi.yaml", "pretrained", core__model=str(model_folder(core)), **changes)
    _, folder, _ = carry_out(run)
    export_run(folder, tmp_path / "model", "transformers")
    model = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "model").eval()
    assert model.config.label2id == {"O": 0, "B-LOC": 1, "I-LOC": 2, "B-PER": 3, "I-PER": 4}
    predictor = load_predictor(folder)
    head = predictor.module.output
    assert isinstance(head, torch.nn.Linear)
    ids = torch.tensor([predictor.tokenizer.encode("मोहन दास दिल्ली").ids])
    with torch.inference_mode():
        ours = head(predictor.module.core(ids, torch.ones_like(ids, dtype=torch.bool)))
        theirs = model(input_ids=ids).logits
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
    bare = transformers.AutoModel.from_pretrained(tmp_path / "model", add_pooling_layer=False)  # the core alone
    assert set(bare.state_dict()) == {name.partition(".")[2] for name in model.state_dict() if "classifier" not in name}


@pytest.mark.parametrize("scheme", ["iob1", "bioes"])
def test_answers_are_in_the_scheme_of_the_corpus(hindi, make_tagging, carry_out, scheme):
    from atinuke_bench.tasks.tagging.tagset import TagSet

    for split in ("train", "dev", "test"):
        blocks = (hindi / f"{split}.conll").read_text().strip().split("\n\n")
        rewritten = []
        for block in blocks:
            rows = [line.split(" ") for line in block.splitlines()]
            found = TagSet("iob2", ("LOC", "PER")).encode([[row[-1] for row in rows]])
            tags = TagSet(scheme, ("LOC", "PER")).decode(found)
            rewritten.append("\n".join(f"{row[0]} {tag}" for row, tag in zip(rows, tags, strict=True)))
        (hindi / f"{split}.conll").write_text("\n\n".join(rewritten) + "\n")
    prepared, folder, result = carry_out(make_tagging(hindi / "hindi.yaml", training__max_epochs=8))
    assert prepared.run.options["scheme"] == scheme
    predictions = pd.read_parquet(folder.predictions)["prediction"]
    letters = {tag[0] for text in predictions for tag in json.loads(text)}
    assert letters <= {"iob1": set("OIB"), "bioes": set("OBIES")}[scheme]
    assert result["scores"]["test"]["phrases"] > 40


def test_parts_of_speech_are_scored_by_accuracy(tmp_path, make_tagging, carry_out):
    lines = []
    for number in range(60):
        lines += [f"# sent_id = {number}", "1-2\tAdas\t_\t_", "1\tAda\t_\tPROPN", f"2\truns{number % 7}\t_\tVERB", ""]
    for split in ("train", "test"):
        (tmp_path / f"{split}.conllu").write_text("\n".join(lines))
    (tmp_path / "pos.yaml").write_text("name: pos\nkind: tagging\nsplits: {train: train.conllu, test: test.conllu}\n")
    prepared, folder, result = carry_out(make_tagging(tmp_path / "pos.yaml", training__max_epochs=4))
    assert prepared.task.metric.name == "accuracy"
    assert result["protocol"]["primary_metric"] == "accuracy"
    assert result["scores"]["test"]["tokens"] == 120
    assert result["score"] > 90
    assert result["resampled"]["unit"] == "sentence"
    assert contradictions(folder, result) == []


def test_it_is_as_a_task_must_be(hindi, make_tagging, tmp_path):
    gold, predictions = tmp_path / "gold.conll", tmp_path / "predictions.conll"
    gold.write_text("Ada O\n")
    predictions.write_text("Ada O\n")
    check_task(make_tagging(hindi / "hindi.yaml", training__max_length=16), tmp_path, official=(gold, predictions))


def test_the_commands_take_the_file(hindi, cli, tmp_path):
    small = ["--set", "training.max_epochs=1", "--preset", "nano", "--out", tmp_path / "store"]
    for core in ("bilstm", "majority"):
        done = cli("run", "--task", hindi / "hindi.yaml", "--core", core, *small)
        assert done.status == 0, done.err
    (path,) = (tmp_path / "store" / "tagging" / "hindi" / "bilstm").glob("seed-*")
    done = cli("verify", path)
    assert done.status == 0, done.err
    (tmp_path / "new.txt").write_text('राम दिल्ली में\n{"words": ["राम"]}\n')
    done = cli("predict", path, "--input", tmp_path / "new.txt", "--jsonl")
    assert done.status == 0, done.err
    answers = [json.loads(line)["prediction"] for line in done.out.splitlines()]
    assert [len(tags) for tags in answers] == [3, 1]
    done = cli("report", tmp_path / "store", "--out", tmp_path / "report")
    assert done.status == 0, done.err
    assert "seqeval_f1" in (tmp_path / "report" / "report.html").read_text()
