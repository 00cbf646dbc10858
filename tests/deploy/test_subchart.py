"""Another chart takes the sidecar with two lines of its pod template, as docs/kubernetes.md says."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import kubernetes_tools
from pod_security import violations
from renderings import CHART, NAMESPACE, ROOT, chart, container, only, pods
from yaml_nodes import at, documents, rows

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = ROOT / "docs" / "kubernetes.md"
_LINES = re.compile(r"^```yaml\n(      shareProcessNamespace.*?)^```$", re.MULTILINE | re.DOTALL)
_TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
spec:
  selector: {matchLabels: {app: checkout}}
  template:
    metadata:
      labels: {app: checkout, leadglass.dev/workload: checkout}
    spec:
SIDECAR      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: checkout
          image: checkout:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


def test_a_parent_chart_s_pod_gets_the_same_sidecar(tmp_path: Path) -> None:
    (lines,) = _LINES.findall(_PAGE.read_text(encoding="utf-8"))
    parent = tmp_path / "checkout"
    (parent / "templates").mkdir(parents=True)
    shutil.copytree(CHART, parent / "charts" / "leadglass")
    (parent / "Chart.yaml").write_text(
        "apiVersion: v2\nname: checkout\nversion: 1.0.0\ndependencies:\n  - {name: leadglass, version: 0.1.0}\n",
        encoding="utf-8",
    )
    digest = f"sha256:{'0' * 64}"
    (parent / "values.yaml").write_text(
        "leadglass:\n  workload: checkout\n"
        f"  image: {{repository: registry.example.org/leadglass-agent, digest: '{digest}'}}\n",
        encoding="utf-8",
    )
    (parent / "templates" / "deployment.yaml").write_text(_TEMPLATE.replace("SIDECAR", lines), encoding="utf-8")
    tools = kubernetes_tools.tools()
    done = tools.run(tools.helm, "template", "checkout", parent, f"--namespace={NAMESPACE}")
    assert done.returncode == 0, done.stderr
    objects = documents(done.stdout)

    ((_, spec),) = pods(objects)
    ((_, shipped),) = pods(chart("prod", "audit.volume=emptyDir"))
    assert container(spec, "leadglass") == container(shipped, "leadglass")
    assert len(rows(spec["volumes"])) == len(rows(shipped["volumes"]))
    assert violations(spec) == ()
    assert at(only(objects, "NetworkPolicy"), "metadata", "name") == "leadglass-checkout"
