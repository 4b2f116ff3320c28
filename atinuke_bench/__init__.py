"""Train, evaluate, tune and compare encoder cores on SQuAD, GLUE, SNLI, coreference and SRL."""

__version__ = "0.1.0"
