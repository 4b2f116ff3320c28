# atinuke-bench with a build of torch for processors or for NVIDIA GPUs:
#
#   docker build --build-arg VARIANT=cpu --build-arg TORCH_INDEX=ADDRESS --tag atinuke-bench:cpu .
#   docker build --build-arg VARIANT=cuda --tag atinuke-bench:cuda .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" atinuke-bench:cpu suite smoke
#   docker run --rm --gpus all --shm-size 1g --volume DATA:/data:ro --env ATINUKE_DATA=/data … atinuke-bench:cuda run …
#
# TORCH_INDEX is the address of an index with builds of torch for the variant, as torch's own site names it; without one,
# pip's index decides, whose build for Linux on x86 is that for GPUs. It brings CUDA's libraries, so that the host needs
# the driver alone. The build ends with an error where torch is not of the variant.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

ARG VARIANT=cpu
ARG TORCH_INDEX=

WORKDIR /opt/atinuke-bench
# torch first: its layer stays when only the project changes.
COPY constraints.txt ./
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --constraint constraints.txt torch \
    && python -c "import sys, torch; found = 'cuda' if torch.version.cuda else 'cpu'; \
sys.exit(None if found == '$VARIANT' else f'VARIANT is cpu or cuda, as torch is; found $VARIANT with torch for {found}')"

COPY pyproject.toml README.md LICENSE ./
COPY atinuke_bench atinuke_bench/
COPY tasks tasks/
COPY sweeps sweeps/
COPY reports reports/
RUN pip install --no-cache-dir --constraint constraints.txt '.[pretrained]'

RUN useradd --create-home bench && mkdir /work && chown bench /work
USER bench
WORKDIR /work
ENTRYPOINT ["atinuke-bench"]
CMD ["--help"]
