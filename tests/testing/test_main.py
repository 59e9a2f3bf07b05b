"""``python -m airflow_provider_sfjwt.testing``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import requests

from airflow_provider_sfjwt.testing.__main__ import main


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line(tmp_path, number):
    key, env = tmp_path / "key.pem", tmp_path / "connection.json"
    command = [sys.executable, "-m", "airflow_provider_sfjwt.testing", "--port", "0", "--records", "Account=7,Lead=2"]
    command += ["--key-file", str(key), "--env-file", str(env), "--modified-hours", "48", "--bulk-page-size", "3"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    try:
        first, second = (process.stdout.readline() for _ in range(2))
        connection = json.loads(env.read_text())
        answer = requests.get(f"{connection['host']}/services/data", timeout=30)
    finally:
        process.send_signal(number)
        status = process.wait(30)
    assert connection["host"] in first
    assert second.startswith("export AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT='{")
    assert answer.status_code == 200
    assert status == 0
    assert (key.stat().st_mode & 0o777, env.stat().st_mode & 0o777) == (0o600, 0o600)
    assert connection["extra"]["private_key"] == key.read_text()


@pytest.mark.parametrize("wrong", ["Nothing=5", "Account", "Account=many"])
def test_command_line_says_what_is_wrong(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--port", "0", "--records", wrong])
    assert stopped.value.code == 2
    assert wrong.partition("=")[0] in capsys.readouterr().err
