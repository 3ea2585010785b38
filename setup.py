"""Package metadata: dependencies, extras and the `ann` entry point. requirements.lock has exact versions."""

from pathlib import Path

from setuptools import find_packages, setup

README = Path(__file__).parent / "README.md"

# Two stacks, one code base: TFX 1.16 for Python 3.10, TFX 1.21 for Python >= 3.11 with glibc >= 2.39.
STACK = [
    'tfx==1.16.0; python_version < "3.11"',
    'tfx>=1.21,<1.22; python_version >= "3.11"',
    "tensorflow>=2.16",
    'tensorboard>=2.16; python_version < "3.11"',
    'tensorboard>=2.20; python_version >= "3.11"',  # TensorFlow 2.21 no longer brings it along.
    "keras>=3",
    "tensorflow-datasets>=4.9",
    "tensorflow-text>=2.16",
    "tensorflow-serving-api>=2.16",
    "apache-beam",
    "dill",  # Beam made it an extra; TFX still imports it.
]

setup(
    name="ann-keras",
    version="0.1.0",
    description="Artificial neural networks in Keras 3, from raw data to a served prediction in one TFX pipeline",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["ann_keras*", "pipelines*", "serving*"]),
    package_data={
        "": ["py.typed", "*.html", "*.jinja", "*.css", "*.js"],
        "serving": ["deploy/**/*.jinja", "tensorflow_model_server"],
    },
    install_requires=[
        *STACK,
        "aiohttp",
        "click>=8",
        "google-crc32c",
        "grpcio-health-checking",
        "jinja2>=3",
        "keras-tuner>=1.4",
        "matplotlib",
        "numpy",
        "packaging",
        "importlib_resources",  # TensorFlow Datasets imports it to prepare data, and declares it for Python 3.8 alone
        "pillow",
        "pyarrow",
        "rich>=13",
        "sacrebleu>=2.4",
        "scikit-image",
        "scikit-learn",
        "scipy",
        "uvloop",
        "setuptools<81",  # later ones have no pkg_resources, which TensorBoard and TensorFlow Hub import
    ],
    extras_require={
        "kubeflow": ["kfp>=2"],
        "dev": [
            "hypothesis",
            "check-jsonschema",  # carries the schema of Compose files
            "dockerfile-parse",
            "import-linter",
            "jsonschema",
            "kubernetes-validate",
            "mypy",
            "pytest>=8",
            "pytest-timeout",
            "pyyaml",
            "ruff",
            "trustme",
            "types-protobuf",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["ann = pipelines.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "License :: OSI Approved :: MIT License",
        "Operating System :: POSIX :: Linux",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
