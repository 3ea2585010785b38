# The image that Kubeflow Pipelines runs each component in: the locked packages and this project, on PATH as `python`
# and `ann`. TFX's own commands come with the pipeline (python -m tfx.orchestration.kubeflow.v2.container...), so there
# is no entry point. Built by `make image IMAGE=registry/name:tag`, named by `ann compile --image registry/name:tag`.
FROM python:3.10-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv

# A virtual environment that comes first on PATH is `python` to everything that runs in the image.
ENV VIRTUAL_ENV=/opt/ann_keras/.venv \
    PATH=/opt/ann_keras/.venv/bin:$PATH \
    KERAS_BACKEND=tensorflow \
    PYTHONUNBUFFERED=1
WORKDIR /opt/ann_keras

# The packages change seldom: a layer of their own.
COPY requirements.lock ./
RUN uv venv --python python3.10 .venv \
    && uv pip sync --no-cache --require-hashes --compile-bytecode requirements.lock

COPY setup.py pyproject.toml README.md ./
COPY ann_keras ann_keras
COPY pipelines pipelines
COPY serving serving
RUN uv pip install --no-cache --no-deps --no-build-isolation --compile-bytecode . \
    && python -c "import pipelines, serving, ann_keras, tfx"
WORKDIR /workspace
