"""Topics of sentences, and a core that sees the neighbourhood of words: a plug-in for atinuke-bench."""
