from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.testing import check_core, check_task
from topics.convolution import ConvolutionConfig


def test_core():
    check_core(ConvolutionConfig.from_preset("nano"))


def test_task(tmp_path, data_dir):
    overrides = {"training.max_epochs": 2, "tokenizer.vocab_size": 200}
    run = make_run_config(
        "topics", "convolution", preset="nano", source=SourceConfig(data_dir=data_dir), overrides=overrides
    )
    check_task(run, tmp_path, official=(data_dir / "test.tsv", data_dir / "test.tsv"))
