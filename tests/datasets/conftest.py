import types

import pytest

from rnn_native.datasets import published


@pytest.fixture
def no_places(tmp_path, monkeypatch):
    """Let every place where data sets usually are be empty, below tmp_path, or no mirror."""
    for name, record in published.DATASETS.items():
        monkeypatch.setitem(published.DATASETS, name, record._replace(mirrors=()))
    work, cache = tmp_path / "work", tmp_path / "caches" / "rnn_native"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("RNN_NATIVE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("pooch.os_cache", lambda project: cache)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return types.SimpleNamespace(
        data=work / "data", keras=tmp_path / "keras" / "datasets", cache=cache
    )
