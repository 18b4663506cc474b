"""Several devices share a batch and learn what one would have learned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.devices import use_devices
from wakeword.cli import main
from wakeword.errors import WakewordError

pytest.importorskip("keras")

ON_TWO = """
import sys
from pathlib import Path
import numpy as np
from test_batches import material
from training.batches import BatchSpec, Sampler
from training.devices import use_devices
from training.fit import FitSpec, Verdict, fit
from training.model import NetworkSpec, build
from wakeword.errors import WakewordError

def validate(model):
    # Five scenes can't be divided between two; a validation has to work nevertheless.
    said = np.asarray(model.predict_on_batch(np.ones((5, 30, 40), "f4")))
    return Verdict(float(said.mean()), {}, np.array([150, 350]))

for n, name in ((1, "one"), (2, "two")):
    use_devices(n, 8)
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    model = build(NetworkSpec(filters=4, units=4), seed=1)
    sampler = Sampler(material(), BatchSpec(size=8, frames=120), 3, seed=1)
    weights = fit(model, sampler, FitSpec(steps=4, check_steps=2, rise_steps=3), validate, folder)
    np.savez(folder / "weights.npz", *weights)
placed = model.get_layer("wake_gru").trainable_variables[0].value.sharding
print(len(placed.device_set))
for n, size in ((2, 9), (3, 9)):
    try:
        use_devices(n, size)
    except WakewordError as error:
        print(error)
"""


def test_two_devices_learn_what_one_does(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'wakeword[jax]'")
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO, str(tmp_path)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    placed, uneven, too_many = done.stdout.splitlines()[-3:]
    assert placed == "2", "the weights lie on one device; nothing was shared"
    assert "batch.size is 9; expected a multiple of 2" in uneven
    assert "only cpu:0, cpu:1 here" in too_many

    def losses(name: str) -> list[float]:
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]

    assert len(losses("one")) == 2
    np.testing.assert_allclose(losses("two"), losses("one"), rtol=1e-5)
    with np.load(tmp_path / "one" / "weights.npz") as one:
        with np.load(tmp_path / "two" / "weights.npz") as two:
            for name in one.files:
                np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-5)


def test_a_backend_that_cannot_divide_batches_says_what_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    if keras.backend.backend() == "jax":
        pytest.skip("this backend can")
    with pytest.raises(WakewordError, match="KERAS_BACKEND=jax"):
        use_devices(2, 8)
    use_devices(1, 7)
    recipe = Path(__file__).parents[1] / "recipes" / "smart_mirror.toml"
    command = ["train", "run", str(recipe), "--out", str(tmp_path), "--devices", "2"]
    assert main(command) == 1
    assert "wakeword[jax]" in capsys.readouterr().err
