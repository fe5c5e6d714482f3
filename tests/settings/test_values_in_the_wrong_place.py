"""A value in the wrong place: refused at once, with what belongs there, and never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.specs.configurations import loaded, problems, toml

HOST, NAME, USER = (f"KUMA_STORE_POSTGRES_{part}" for part in ("HOST", "DB_NAME", "USER"))
URL = "postgres://kuma:hunter2@db.example.com/kuma"


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        (HOST, URL, "KMESH_STORE_POSTGRES_PASSWORD_FILE"),
        (HOST, "kuma:hunter2@db.example.com", "KMESH_STORE_POSTGRES_PASSWORD_FILE"),
        (HOST, "db.example.com:5432", "_PORT"),
        (HOST, "db.example.com/kuma", "Correct it"),
        (HOST, '"db.example.com"', "Remove the quotes"),
        (HOST, "“db.example.com”", "Remove the quotes"),
        (HOST, "db.example.com ", "blank or a line break at an end"),
        (HOST, "db.example.com\n", "blank or a line break at an end"),
        (HOST, "${DB_HOST}", "nothing expands here"),
        (HOST, "{{ .Values.host }}", "{{ … }}, which nothing expands here"),
        (HOST, "$(cat host)", "$(…), which nothing expands here"),
        (HOST, "host=db password=hunter2", "KMESH_STORE_POSTGRES_PASSWORD_FILE"),
        (HOST, "[::1]", "_HOST"),
        (NAME, URL, "KMESH_STORE_POSTGRES_PASSWORD_FILE"),
        (NAME, "host=db.example.com password=hunter2 dbname=kuma", "_DB_NAME"),
        (USER, "kuma:hunter2", "KUMA_STORE_POSTGRES_PASSWORD"),
        (USER, URL, "_USER"),
        ("KUMA_STORE_POSTGRES_PORT", "tcp://10.0.0.1:5432", "_PORT"),
        ("KUMA_STORE_POSTGRES_PORT", "5432 # the usual one", "a line of its own"),
        ("KUMA_STORE_TYPE", URL, "_HOST"),
        ("KMESH_STORE_POSTGRES_PASSWORD_FILE", "hunter2", "write it to a file"),
        ("KMESH_STORE_POSTGRES_PASSWORD_FILE", "hunt/er2", "Correct it"),
        ("KUMA_STORE_POSTGRES_TLS_KEY_PATH", "LS0tLS1CRUdJTiBQUklWQVRF", "write it to a file"),
        ("KUMA_GENERAL_TLS_KEY_FILE", "-----BEGIN PRIVATE KEY-----\nMC4\n", "Remove"),
        ("KUMA_GENERAL_TLS_CERT_FILE", "hunter2", "a path with a slash"),
        ("KUMA_GENERAL_WORK_DIR", "$HOME/mesh", "$HOME, which nothing expands here"),
        ("KUMA_GENERAL_WORK_DIR", "/srv/mesh ", "a blank"),
        ("KMESH_ADMISSION_SOCKET", "unix:///run/a.sock", "a URL"),
        ("KUMA_API_SERVER_HTTP_INTERFACE", "127.0.0.1:5681", "without a port"),
        ("KUMA_API_SERVER_HTTP_INTERFACE", "http://127.0.0.1", "a URL"),
        ("KUMA_API_SERVER_BASE_PATH", "https://a.example/mesh", "a URL"),
        ("KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS", "grpcs://kuma:hunter2@a:5685", "a URL"),
        ("KUMA_MODE", "zoen", "Did you mean zone?"),
    ],
)
def test_it_is_refused_with_what_belongs_there(variable: str, value: str, remedy: str) -> None:
    (problem,) = problems(environ={"KUMA_STORE_TYPE": "postgres", variable: value})
    assert problem.code == "config-value"
    assert problem.message.startswith(variable)
    assert remedy in problem.remedy or remedy == "Remove", problem.line
    assert "hunter2" not in problem.line
    assert value.strip() not in problem.line or value == "zoen"
    assert problem.line.isprintable()


@pytest.mark.parametrize(
    "host",
    [
        *("db", "db.example.com", "db.example.com.", "my_db-1", "10.0.0.1", "::1", "fe80::1%eth0"),
        *("/run/postgresql", "@abstract", "a.example,b.example"),
    ],
)
def test_a_host_is_what_the_client_of_postgresql_takes(host: str) -> None:
    assert loaded(environ={HOST: host}).settings.store.postgres.host == host


@pytest.mark.parametrize("user", ["kuma", "kuma@server", "Kuma User", "kuma.project-1", "ü"])
def test_a_user_may_have_any_other_name(user: str) -> None:
    assert loaded(environ={USER: user}).settings.store.postgres.user == user


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KUMA_API_SERVER_HTTP_PORT", "70000"),
        ("KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT", "5 m"),
        ("KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT", "30d"),
        ("KUMA_API_SERVER_READ_ONLY", "yes"),
        ("KUMA_STORE_TYPE", "postgress"),
    ],
)
def test_what_is_no_secret_is_repeated(variable: str, value: str) -> None:
    (problem,) = problems(environ={variable: value})
    assert f"is {value!r}: " in problem.message


@pytest.mark.parametrize(
    ("password", "what"),
    [
        ("$(cat password)", "$(…)"),
        ("{{ .Values.password }}", "{{ … }}"),
        ("$PASSWORD", "$PASSWORD"),
        ('"hunter2"', "between quotes"),
        ("hunter2\n", "at an end"),
        (URL, "is a URL"),
        ("apiVersion: v1\nkind: Secret\ndata: {password: aHVudGVyMg==}\n", "manifest"),
    ],
)
def test_a_secret_that_was_hardly_meant_so_is_warned_of(password: str, what: str) -> None:
    found = loaded(environ={"KUMA_STORE_POSTGRES_PASSWORD": password})
    (warning,) = found.warnings
    assert warning.startswith("config-doubtful: KUMA_STORE_POSTGRES_PASSWORD ")
    assert what in warning
    assert "hunter2" not in warning
    assert found.settings.store.postgres.password is not None
    assert found.settings.store.postgres.password.reveal() == password


def test_a_placeholder_in_a_file_is_not_warned_of_where_a_variable_wins(tmp_path: Path) -> None:
    file = toml(tmp_path, '[store.postgres]\npassword = "${PASSWORD}"\n')
    file.chmod(0o600)
    (warning,) = loaded(file).warnings
    assert warning.startswith("config-doubtful: store.postgres.password ")
    assert loaded(file, {"KUMA_STORE_POSTGRES_PASSWORD": "right"}).warnings == ()
    (warning,) = loaded(file, {"KUMA_STORE_POSTGRES_PASSWORD": "'right'"}).warnings
    assert warning.startswith("config-doubtful: KUMA_STORE_POSTGRES_PASSWORD ")


@pytest.mark.parametrize("password", ["pa$$word", "a{b}c", "x'y", "p@ss:w0rd/", "<>", "back`tick`"])
def test_a_password_may_hold_anything(password: str) -> None:
    assert loaded(environ={"KUMA_STORE_POSTGRES_PASSWORD": password}).warnings == ()


def test_a_name_that_is_a_secret_is_not_repeated_either() -> None:
    found = loaded(environ={"KMESH_PASSWORD=hunter2": "x"})
    assert "hunter2" not in "".join(found.warnings)
