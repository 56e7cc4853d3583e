"""The flow from end to end, on a real Prefect server: outcomes, refusals, resuming, rollback, growth."""

import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from tasks.records import RunRecord, Version
from tasks.registry import Registry
from tasks.store import Store

Train = Callable[..., tuple[RunRecord, Version | None, str]]
Declare = Callable[..., None]

ROOT = Path(__file__).parent.parent
STEPS = [
    "cross_validate logistic",
    "cross_validate tree",
    "decide",
    "deploy",
    "evaluate",
    "featurize",
    "fetch",
    "measure logistic",
    "split",
    "train dummy",
    "train linear",
    "train logistic",
    "validate",
]


def registry(project: Path, problem: str = "wine") -> Registry:
    return Registry(Store(project.absolute() / "data" / "store", problem))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from flows.cli import main; main()", *arguments]


def test_a_first_run_promotes_and_a_second_finds_nothing_new(train: Train, project: Path) -> None:
    run, version, shown = train()
    assert (run.outcome, run.version, run.champion, run.exit_code) == ("promoted", 1, 1, 0)
    assert version is not None
    assert version.scores.challenger.low <= version.scores.challenger.value <= version.scores.challenger.high
    assert {trial.candidate.name for trial in version.model.leaderboard} == {"logistic", "tree"}
    assert "Version 1 is in production" in shown
    assert [line.split("  ")[0] for line in shown.splitlines() if line.startswith("✓ deploy")] == ["✓ deploy"]
    again, known, _ = train()
    assert (again.outcome, again.version, again.exit_code) == ("nothing new", 1, 0)
    assert known is not None
    assert known.number == 1
    assert len(registry(project).versions()) == 1


def test_the_server_has_every_step_the_outcome_and_the_tag(train: Train) -> None:
    run, _, _ = train()
    assert run.run is not None
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(UUID(run.run))
        only_this = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
        steps = client.read_task_runs(flow_run_filter=only_this, limit=200)
        artifacts = client.read_artifacts(flow_run_filter=only_this, limit=20)
    assert flow_run.name == "wine"
    assert flow_run.tags == ["wine"]
    assert flow_run.state is not None
    assert flow_run.state.name == "Promoted"
    assert sorted(step.name for step in steps) == STEPS
    assert {step.state.name for step in steps if step.state} == {"Completed"}
    assert {artifact.key for artifact in artifacts} == {"wine-leaderboard", "wine-verdict"}


def test_every_table_between_the_steps_is_parquet_named_by_its_content(train: Train, project: Path) -> None:
    train()
    store = registry(project).store
    kinds = {path.parent.name: path for path in (store.folder / "artifacts").glob("*/*.parquet")}
    assert set(kinds) == {"raw", "train", "test", "features", "out_of_fold", "predictions"}
    version = registry(project).version(1)
    rows = store.table(version.test).to_pandas()
    assert len(rows) == version.scores.rows == 36


def test_data_that_breaks_an_expectation_is_refused_and_production_stays(
    train: Train, declare: Declare, project: Path
) -> None:
    train()
    declare("max_value=15", "max_value=14", "expectations/wine.py")
    run, version, shown = train()
    assert (run.outcome, run.exit_code, run.champion) == ("refused", 3, 1)
    assert version is None
    assert [finding.severity for finding in run.findings] == ["critical"]
    assert run.findings[0].unexpected_rows == 22
    assert "Per cent; wine has 11 to 15." in shown
    assert "Version 1 is in production; this run has not changed that." in shown
    assert "Traceback" not in shown
    assert run.docs is not None
    assert Path(run.docs).is_file()
    assert [d.version for d in registry(project).history()] == [1]


def test_a_warning_is_shown_and_does_not_stop_the_run(train: Train, declare: Declare) -> None:
    declare(
        'max_value=15, severity="critical"',
        'max_value=14, severity="warning"',
        "expectations/wine.py",
    )
    run, _, shown = train()
    assert run.outcome == "promoted"
    assert [finding.severity for finding in run.findings] == ["warning"]
    assert "What the data did not meet" in shown


def test_a_model_below_the_floor_is_held(train: Train, declare: Declare, project: Path) -> None:
    declare("[split]", "[gate]\nat_least = 0.9999\n\n[split]")
    declare("LogisticRegression", "DummyClassifier")
    declare("DecisionTreeClassifier", "DummyClassifier")
    run, version, _ = train()
    assert (run.outcome, run.cause, run.exit_code, run.champion) == ("held", "rule broken", 0, None)
    assert version is not None
    assert registry(project).champion() is None
    assert train()[0].outcome == "nothing new"


def test_no_deploy_stops_after_the_verdict_and_the_next_run_deploys(train: Train, project: Path) -> None:
    run, _, _ = train(promote=False)
    assert (run.outcome, run.cause, run.champion) == ("held", "not deployed", None)
    run, _, shown = train()
    assert (run.outcome, run.version) == ("promoted", 1)
    assert shown.count("kept from an earlier run") == len(STEPS) - 1
    assert len(registry(project).versions()) == 1


def test_a_challenger_meets_the_champion_on_the_same_rows_and_rollback_is_not_undone(
    train: Train, declare: Declare, project: Path
) -> None:
    train()
    declare('estimator = "LogisticRegression"', 'estimator = "LogisticRegression"\nparameters = { C = 0.9 }')
    run, version, _ = train()
    assert (run.outcome, run.version) == ("promoted", 2)
    assert version is not None
    scores = version.scores
    assert scores.champion_version == 1
    assert scores.difference is not None
    assert scores.champion is not None
    assert scores.difference.value == pytest.approx(scores.challenger.value - scores.champion.value)
    predictions = registry(project).store.table(scores.predictions).to_pandas()
    assert len(predictions) == scores.rows
    assert np.mean(predictions["champion"] == predictions["target"]) == pytest.approx(scores.champion.value)
    moved = registry(project).rollback()
    assert (moved.version, moved.blocked) == (1, (2,))
    assert train()[0].outcome == "nothing new"
    champion = registry(project).champion()
    assert champion is not None
    assert champion.number == 1


def test_a_wrong_column_is_one_sentence_and_exit_code_two(train: Train, declare: Declare) -> None:
    declare('target = "target"', 'target = "grower"')
    declare('stratify = "target"', 'stratify = "grower"')
    run, _, shown = train()
    assert (run.outcome, run.exit_code) == ("failed", 2)
    assert "target names the column 'grower', which the data does not have" in run.sentence
    assert "Traceback" not in shown


def test_a_candidate_that_fails_stands_on_the_leaderboard_and_the_run_goes_on(train: Train, declare: Declare) -> None:
    declare(
        'estimator = "DecisionTreeClassifier"', 'estimator = "DecisionTreeClassifier"\nparameters = { max_depth = -3 }'
    )
    run, version, shown = train()
    assert run.outcome == "promoted"
    assert version is not None
    assert [trial.problem is None for trial in version.model.leaderboard] == [True, False]
    assert "max_depth" in shown


def test_an_altered_artifact_is_named_and_never_used(train: Train, declare: Declare, project: Path) -> None:
    train()
    raw = next((registry(project).store.folder / "artifacts" / "raw").glob("*.parquet"))
    content = bytearray(raw.read_bytes())
    content[100] ^= 1
    raw.write_bytes(content)
    declare("max_value=15", "max_value=16", "expectations/wine.py")
    run, _, _ = train()
    assert (run.outcome, run.exit_code, run.champion) == ("failed", 1, 1)
    assert raw.name in run.sentence
    assert "was changed after it was written" in run.sentence
    raw.unlink()
    assert train()[0].outcome == "promoted"


def test_a_network_is_deployed_with_its_saved_model_and_rollback_takes_it_away(train: Train, project: Path) -> None:
    from tasks.models import load
    from tasks.networks import tensorflow

    problem = project / "data" / "wine" / "problem.toml"
    text = problem.read_text().split("[[candidates]]")[0]
    wide = '[[candidates]]\nname = "wide"\nestimator = "WideAndDeepClassifier"\nparameters = { epochs = 3 }\n'
    problem.write_text(text + '\n[gate]\nmargin = 0.9\n\n[derived]\nratio = "alcohol / malic_acid"\n\n' + wide)
    assert train()[0].outcome == "promoted"
    problem.write_text(problem.read_text().replace("epochs = 3", "epochs = 4"))
    run, version, _ = train()
    assert run.outcome == "promoted"
    assert version is not None
    serving = project / "data" / "store" / "serving" / "wine"
    assert sorted(path.name for path in serving.iterdir()) == ["1", "2"]
    store = registry(project).store
    rows = store.table(version.test).to_pandas()
    tf = tensorflow()
    served = tf.saved_model.load(str(serving / "2")).signatures["serving_default"]
    given = {name.replace("/", "_"): rows[name].to_numpy() for name in rows}  # TensorFlow's names have no slash
    signature = served.structured_input_signature[1]
    answer = served(**{name: tf.constant(given[name], spec.dtype) for name, spec in signature.items()})
    expected = load(version.model, store).predict(rows)
    np.testing.assert_allclose(answer["probabilities"].numpy(), expected.probabilities, rtol=1e-4, atol=1e-6)
    registry(project).rollback()
    registry(project).project()
    assert [path.name for path in serving.iterdir()] == ["1"]


@pytest.mark.parametrize("step", ["fetch", "cross_validate", "train", "deploy"])
def test_a_run_killed_after_any_step_is_continued_by_the_next(train: Train, project: Path, step: str) -> None:
    arguments = command("train", "wine", "--project", str(project))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as killed:
        assert killed.stdout is not None
        done = 0
        for line in killed.stdout:
            done += line.startswith("✓")
            if line.startswith(f"✓ {step}"):
                os.killpg(killed.pid, signal.SIGKILL)
                break
    assert killed.wait() == -signal.SIGKILL
    run, _, shown = train()
    if step == "deploy":
        assert run.outcome == "nothing new"
    else:
        assert run.outcome == "promoted"
        assert shown.count("kept from an earlier run") >= done
    assert [d.version for d in registry(project).history()] == [1]
    assert registry(project).version(1).verdict.promote


def test_of_two_runs_at_once_each_promotion_replaces_the_champion_it_was_judged_against(
    train: Train, project: Path, tmp_path: Path
) -> None:
    train()
    other = tmp_path / "other"
    subprocess.run(["cp", "-r", str(project), str(other)], check=True)
    for folder, strength in ((project, 0.9), (other, 0.8)):
        path = folder / "data" / "wine" / "problem.toml"
        changed = f'estimator = "LogisticRegression"\nparameters = {{ C = {strength} }}'
        path.write_text(path.read_text().replace('estimator = "LogisticRegression"', changed))
    store = str(project / "data" / "store")
    running = [
        subprocess.Popen(
            command("train", "wine", "--project", str(folder), "--store", store, "--json"), stdout=subprocess.PIPE
        )
        for folder in (project, other)
    ]
    answers = [json.loads(process.communicate()[0]) for process in running]
    history = [decision for decision in registry(project).history() if decision.kind == "promoted"]
    for decision in history:
        assert registry(project).version(decision.version).scores.champion_version == decision.previous
    promoted = [answer for answer in answers if answer["outcome"] == "promoted"]
    assert len(promoted) == len(history) - 1
    assert all(answer["cause"] == "champion changed" for answer in answers if answer not in promoted)


class Table(http.server.BaseHTTPRequestHandler):
    """Serves one CSV; answers 503 as often as told before."""

    content = b""
    refusals = 0
    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        if type(self).refusals > 0:
            type(self).refusals -= 1
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def table() -> Iterator[type[Table]]:
    Table.content, Table.refusals, Table.requests = b"", 0, 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Table) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        Table.port = running.server_port  # type: ignore[attr-defined]
        yield Table
        running.shutdown()


def wines(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    target = np.arange(rows) % 3
    return pd.DataFrame(
        {
            "number": np.arange(rows),
            "alcohol": 12 + 0.6 * target + random.normal(0, 0.2, rows).clip(-0.6, 0.6),
            "colour": random.normal(target, 0.5),
            "target": target,
        }
    )


def publish(project: Path, table: type[Table], frame: pd.DataFrame) -> None:
    table.content = frame.to_csv(index=False).encode()
    path = project / "data" / "wine" / "problem.toml"
    address = f'kind = "url"\nurl = "http://127.0.0.1:{table.port}/wines.csv"'  # type: ignore[attr-defined]
    path.write_text(path.read_text().replace('kind = "bundled"\nname = "wine"', address))


def test_growing_data_is_fetched_after_the_network_recovers_and_no_row_is_judged_that_was_trained_on(
    train: Train, declare: Declare, project: Path, table: type[Table]
) -> None:
    declare('target = "target"\n\n[source]', 'target = "target"\nidentity = ["number"]\n\n[source]')
    declare("[split]", '[columns]\ndrop = ["number"]\n\n[split]')
    grown = wines(900)
    table.refusals = 1
    publish(project, table, grown.head(800))
    run, _, _ = train()
    assert run.outcome == "promoted"
    assert table.requests == 2
    assert train()[0].outcome == "nothing new"
    publish(project, table, grown.sample(frac=1, random_state=1))
    run, version, _ = train()
    assert run.outcome in {"promoted", "held"}
    assert version is not None
    first, store = registry(project).version(1), registry(project).store
    trained = {
        *store.table(first.model.trained_on)["salamander_row"].to_pylist(),
        *store.table(version.model.trained_on)["salamander_row"].to_pylist(),
    }
    judged = store.table(version.scores.predictions)["salamander_row"].to_pylist()
    assert not trained & set(judged)
    assert len(judged) == version.scores.rows
    assert version.scores.excluded_rows <= 9
    assert version.scores.rows + version.scores.excluded_rows == 180
    assert len(list((store.folder / "artifacts" / "raw").glob("*.parquet"))) == 2


SPOILT = [
    (lambda frame: frame.rename(columns={"alcohol": "alc"}), "alcohol"),
    (lambda frame: frame.assign(alcohol="strong"), "alcohol"),
    (lambda frame: frame.head(0), "has no rows"),
    (lambda frame: frame.head(12), "smallest_share"),
    (lambda frame: frame.assign(target=1), "one class only"),
    (lambda frame: frame.drop(columns="target"), "'target' is missing"),
]


def test_spoilt_data_is_refused_in_one_sentence_and_production_stays(
    train: Train, project: Path, table: type[Table]
) -> None:
    publish(project, table, wines(300))
    assert train()[0].outcome == "promoted"
    for spoil, said in SPOILT:
        publish(project, table, spoil(wines(300)))
        run, _, shown = train()
        assert run.exit_code == 3
        assert said in run.sentence
        assert "\n" not in run.sentence
        assert "Traceback" not in shown
        assert [d.version for d in registry(project).history()] == [1]


def test_digits_from_the_command_line_reach_the_accuracy_that_is_claimed(server: str, tmp_path: Path) -> None:
    arguments = command("train", "digits", "--project", str(ROOT), "--store", str(tmp_path), "--json")
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "promoted"
    assert answer["judged"]["test"]["value"] >= 0.985


@pytest.mark.skipif(
    "SALAMANDER_MIRROR" not in os.environ, reason="no network and no SALAMANDER_MIRROR with housing.tgz"
)
def test_housing_from_the_command_line_beats_the_book(server: str, tmp_path: Path) -> None:
    """One of its candidates does: all of them together take minutes."""
    for folder in ("data/housing", "expectations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "data" / "housing" / "problem.toml"
    text = path.read_text()
    (boosting,) = re.findall(r"\[\[candidates\]\]\nname = \"boosting\".*?\n\n(?=\[\[)", text, re.DOTALL)
    path.write_text(text.split("[[candidates]]")[0] + boosting + text[text.index("[gate]") :])
    arguments = command("train", "housing", "--project", str(tmp_path), "--json")
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "promoted"
    assert answer["judged"]["test"]["value"] < 42_000
