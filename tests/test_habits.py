"""What contributors meet before a test runs: the hooks, CI and forms say the same as the Makefile and pyproject.toml."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.matrix.environment import versions
from tests.repository import REPOSITORY


def loaded(path: str) -> Any:
    return yaml.safe_load((REPOSITORY / path).read_text(encoding="utf-8"))


def text(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def test_ci_runs_the_whole_suite_on_every_python_that_is_promised() -> None:
    job = loaded(".github/workflows/ci.yml")["jobs"]["test"]
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text("pyproject.toml"))
    assert job["strategy"]["matrix"]["python"] == promised
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_ci_tries_the_lowest_versions_on_the_oldest_and_the_newest_python() -> None:
    job = loaded(".github/workflows/ci.yml")["jobs"]["lowest"]
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text("pyproject.toml"))
    assert job["strategy"]["matrix"]["python"] == [promised[0], promised[-1]]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test-lowest"]


def test_ci_tries_every_airflow_that_has_pins_on_every_python_that_is_promised() -> None:
    matrix = loaded(".github/workflows/ci.yml")["jobs"]["airflow"]["strategy"]["matrix"]
    assert matrix["airflow"] == versions()
    assert matrix["python"] == re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text("pyproject.toml"))


def test_files_of_pins_name_no_package_index() -> None:
    for version in versions():
        lines = text(f"tests/matrix/airflow-{version}.txt").splitlines()
        assert f"apache-airflow=={version}" in lines
        assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_commit_hooks_check_what_make_lint_checks() -> None:
    (repository,) = loaded(".pre-commit-config.yaml")["repos"]
    commands = [hook["entry"] for hook in repository["hooks"]]
    recipe = text("Makefile").partition("\nlint:")[2].partition("\n\n")[0].replace("$(DEVELOPMENT)", ".venv")
    sources = re.search(r"^SOURCES := (.*)$", text("Makefile"), re.MULTILINE)
    assert sources is not None
    recipe = recipe.replace("$(SOURCES)", sources[1])
    for command in commands:
        program = command.split()[0].rpartition("/")[2]
        assert f".venv/bin/{program}" in recipe
    by_program = {command.split()[0].rpartition("/")[2]: command for command in commands}
    assert by_program["mypy"] in recipe
    assert by_program["python"] in recipe
    assert len(commands) == recipe.count(".venv/bin/")


def test_the_bug_form_asks_for_the_receipt_or_the_doctors_output() -> None:
    fields = {field.get("id"): field for field in loaded(".github/ISSUE_TEMPLATE/bug_report.yml")["body"]}
    asked = fields["receipt"]
    assert asked["validations"]["required"]
    assert "_receipt.json" in asked["attributes"]["description"]
    assert "airflow-salesforce-jwt check" in asked["attributes"]["description"]
