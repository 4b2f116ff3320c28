"""`python -m atinuke_bench`, which is how torchrun and srun start a run."""

from atinuke_bench.cli import main

if __name__ == "__main__":
    main()
