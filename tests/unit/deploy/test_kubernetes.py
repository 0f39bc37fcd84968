"""Documents for Kubernetes: valid by its own schemas, restricted, appliable again and again, and in agreement."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes_validate.utils import all_versions, major_minor
from tests.unit.deploy import plans

from nuages.deploy import yaml
from nuages.deploy.kubernetes import config, folders
from nuages.deploy.kubernetes.documents import documents
from nuages.deploy.workload import pinned
from nuages.errors import UsageError

NEWEST = list(dict.fromkeys(map(major_minor, all_versions())))[-3:]
# What the API servers' own schemas do not have: the schemas of these come with their operators.
OUTSIDE = {"HTTPRoute", "ServiceMonitor"}

EVERYTHING = {
    "host": "shop.example.com www.shop.example.com", "ingress": "nginx", "gateway": "infra/public", "autoscale": "2-10",
    "service_monitor": "on", "tls_secret": "shop-tls", "namespace": "shops", "image_pull_secret": "registry",
}  # fmt: skip
PROXIES = {"trusted_proxies": "10.0.0.0/8 fd00::1"}

CASES: dict[str, Any] = {
    "plain": lambda: made(),
    "everything": lambda: made(server=PROXIES, **EVERYTHING),
    "kept": lambda: made(plans.plan(**plans.KEPT), storage_class="fast", volume_size="10G"),
    "folders": lambda: made(plans.plan(**{**plans.WRITING, "processes": (plans.WORKER, plans.NIGHTLY)})),
    "static": lambda: made(server={"static_keep": "/kept"}),
    "argo": lambda: made(migrations="argo"),
    "helm": lambda: made(migrations="helm"),
    "off": lambda: made(migrations="off", process="none", replicas="1"),
}


def made(plan: Any = None, server: dict[str, str] | None = None, **flags: str) -> list[Any]:
    options = plans.options(**flags)
    return [
        yaml.without_comments(document)
        for document in documents(plans.workload(plan, server, **flags), options)
    ]


def by_kind(found: list[Any], kind: str, name: str = "") -> Any:
    return next(one for one in found if one["kind"] == kind and one["metadata"]["name"].startswith(name))


def pods(found: list[Any]) -> list[tuple[str, Any]]:
    """Return every pod template, by kind and name of its object."""
    templates = []
    for one in found:
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            templates.append((f"{one['kind']} {one['metadata']['name']}", spec["template"]))
    return templates


@pytest.mark.parametrize("version", NEWEST)
@pytest.mark.parametrize("case", CASES)
def test_every_document_is_valid_by_the_official_schemas(case: str, version: str) -> None:
    for document in CASES[case]():
        if document["kind"] not in OUTSIDE:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("case", CASES)
def test_every_pod_is_restricted(case: str) -> None:
    """Each rule of the restricted profile of the Pod Security Standards, and a read-only root file system."""
    for name, template in pods(CASES[case]()):
        spec = template["spec"]
        security = spec["securityContext"]
        # Host namespaces, host paths, and volume types (restricted: «Volume Types»).
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
        assert kinds <= {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
        # «Running as Non-root», «Running as Non-root user», «Seccomp».
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"]["type"] == "RuntimeDefault"
        assert "sysctls" not in security
        assert "windowsOptions" not in security
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False  # «Privilege Escalation»
            assert own["capabilities"] == {"drop": ["ALL"]}  # «Capabilities»
            assert not own.get("privileged")
            assert "procMount" not in own
            assert all("hostPort" not in port for port in container.get("ports", []))
            assert own["readOnlyRootFilesystem"] is True
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False


@pytest.mark.parametrize("case", CASES)
def test_two_runs_give_the_same_bytes(case: str) -> None:
    assert yaml.dump(CASES[case]()) == yaml.dump(CASES[case]())


@pytest.mark.parametrize("case", CASES)
def test_selectors_find_their_pods_and_nobody_elses(case: str) -> None:
    found = CASES[case]()
    labels = {name: template["metadata"]["labels"] for name, template in pods(found)}
    for one in found:
        selector = one.get("spec", {}).get("selector", {})
        selector = selector.get("matchLabels", selector)
        if one["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}:
            chosen = [name for name, pod in labels.items() if selector.items() <= pod.items()]
            own = (
                f"Deployment {one['metadata']['name']}" if one["kind"] == "Deployment" else "Deployment shop"
            )
            assert chosen == [own], one["kind"]


# What the API server refuses to change in an object that is there (Kubernetes, API reference of each).
IMMUTABLE = {
    "Deployment": ("selector",),
    "Job": ("selector", "template", "completions", "completionMode"),
    "PersistentVolumeClaim": ("accessModes", "storageClassName", "volumeMode", "selector"),
    "Service": ("clusterIP",),
}


def refused(before: list[Any], after: list[Any]) -> list[str]:
    """Return what an API server with `before` would refuse of `after`."""
    there = {(one["kind"], one["metadata"]["name"]): one for one in before}
    pairs = [(there.get((one["kind"], one["metadata"]["name"])), one) for one in after]
    return [
        f"{new['kind']} {new['metadata']['name']}: {field}"
        for old, new in pairs
        for field in IMMUTABLE.get(new["kind"], ())
        if old is not None and old["spec"].get(field) != new["spec"].get(field)
    ]


def test_the_next_release_can_be_applied_over_this_one() -> None:
    changed: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"image": plans.IMAGE.replace("ab" * 32, "cd" * 32)}, {}),
        ({}, {"server": {"timeout": "60s", "workers": "8"}}),
        ({}, {"replicas": "5", "worker_memory": "300M"}),
        ({}, {"server": PROXIES, "host": "shop.example.com", "ingress": "nginx"}),
    ]
    for image, flags in changed:
        options = plans.options(**{name: text for name, text in flags.items() if name != "server"})
        after = [yaml.without_comments(one) for one in documents(plans.workload(**image, **flags), options)]
        assert refused(made(), after) == []
        assert refused(after, made()) == []


def test_the_same_release_has_the_same_job_and_another_image_another() -> None:
    first = by_kind(made(), "Job")["metadata"]["name"]
    options = plans.options()
    other = [
        yaml.without_comments(one)
        for one in documents(plans.workload(image=plans.IMAGE.replace("ab" * 32, "cd" * 32)), options)
    ]

    assert by_kind(made(), "Job")["metadata"]["name"] == first
    assert first.startswith("shop-migrate-ababababab-")
    assert by_kind(other, "Job")["metadata"]["name"].startswith("shop-migrate-cdcdcdcdcd-")
    assert by_kind(made(), "Job")["spec"]["ttlSecondsAfterFinished"] > 0


def test_a_changed_option_rolls_the_pods_and_an_unchanged_one_does_not() -> None:
    def annotation(**server: str) -> str:
        template = by_kind(made(server=server), "Deployment", "shop")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert annotation() == annotation()
    assert annotation(timeout="60s") != annotation()


def test_the_server_and_kubernetes_agree_on_the_time_to_end() -> None:
    found = made(server={"drain": "10s", "grace": "50s"})
    spec = by_kind(found, "Deployment", "shop")["spec"]["template"]["spec"]
    settings_map = by_kind(found, "ConfigMap")["data"]

    assert (settings_map["NUAGES_DRAIN"], settings_map["NUAGES_GRACE"]) == ("10s", "50s")
    assert spec["terminationGracePeriodSeconds"] == 65
    assert "lifecycle" not in spec["containers"][0]


def test_memory_and_cpu_follow_the_workers() -> None:
    found = made(server={"workers": "4"}, worker_memory="200M")
    container = by_kind(found, "Deployment", "shop")["spec"]["template"]["spec"]["containers"][0]

    assert by_kind(found, "ConfigMap")["data"]["NUAGES_WORKERS"] == "4"
    assert container["resources"] == {
        "requests": {"cpu": "1000m", "memory": "864Mi", "ephemeral-storage": "256Mi"},
        "limits": {"memory": "1072Mi"},
    }


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("r.example:5000/shop:1.4.2@sha256:", "1.4.2"),
        ("r.example:5000/shop@sha256:", "0123456789ab"),
        ("shop:_@sha256:", "0123456789ab"),
    ],
)
def test_every_object_and_pod_is_labelled_with_the_images_version(image: str, version: str) -> None:
    workload = plans.workload(None, PROXIES, image=image + "0123456789abcdef" * 4, **EVERYTHING)
    found = [yaml.without_comments(one) for one in documents(workload, plans.options(**EVERYTHING))]

    labels = [one["metadata"]["labels"] for one in found] + [
        pod["metadata"]["labels"] for _, pod in pods(found)
    ]
    assert {one["app.kubernetes.io/version"] for one in labels} == {version}
    assert "app.kubernetes.io/version" not in str([one.get("spec", {}).get("selector") for one in found])


def test_scratch_space_fits_the_largest_body() -> None:
    template = by_kind(made(server={"max_body": "2G"}), "Deployment", "shop")["spec"]["template"]

    assert template["spec"]["volumes"][0] == {"name": "tmp", "emptyDir": {"sizeLimit": "8448Mi"}}


def test_variables_come_from_a_secret_and_never_with_values() -> None:
    found = made()
    container = by_kind(found, "Deployment", "shop")["spec"]["template"]["spec"]["containers"][0]
    template = config.secret_template(plans.workload(), plans.options())

    assert [one["name"] for one in container["env"]] == ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"]
    named = by_kind(made(server=PROXIES, **EVERYTHING), "Deployment", "shop")["spec"]["template"]["spec"]
    assert "ALLOWED_HOSTS" not in [one["name"] for one in named["containers"][0]["env"]]
    assert not [one for one in found if one["kind"] == "Secret"]
    assert all(line.startswith("#") for line in template.splitlines())
    assert '#   SECRET_KEY: ""\n' in template
    assert "#   # shop/settings.py:40\n" in template


def test_a_host_name_reaches_the_settings_and_the_routes() -> None:
    found = made(server=PROXIES, **EVERYTHING)
    rules = by_kind(found, "Ingress")["spec"]["rules"]

    assert by_kind(found, "ConfigMap")["data"]["ALLOWED_HOSTS"] == "shop.example.com,www.shop.example.com"
    assert [rule["host"] for rule in rules] == ["shop.example.com", "www.shop.example.com"]
    assert by_kind(found, "HTTPRoute")["spec"]["parentRefs"] == [{"name": "public", "namespace": "infra"}]


def test_only_trusted_proxies_reach_the_server_where_some_are_trusted() -> None:
    http = by_kind(made(server=PROXIES), "NetworkPolicy")["spec"]["ingress"][0]

    assert http["from"] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "fd00::1/128"}}]
    assert (
        by_kind(made(server=PROXIES), "ConfigMap")["data"]["NUAGES_TRUSTED_PROXIES"]
        == "10.0.0.0/8 fd00::1/128"
    )


def test_files_on_a_volume_mean_one_pod_that_ends_before_the_next_begins() -> None:
    found = made(plans.plan(**plans.KEPT))
    spec = by_kind(found, "Deployment")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert by_kind(found, "PersistentVolumeClaim")["metadata"]["name"] == "shop-data"
    assert not [one for one in found if one["kind"] == "PodDisruptionBudget"]
    (note,) = plans.workload(plans.plan(**plans.KEPT)).notes
    assert note.startswith(
        "/app/db.sqlite3 can be written by one pod only: 1 replica, and a rollout stops it before"
    )


def test_the_folders_of_a_fresh_volume_are_made_before_anything_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pods(CASES["folders"]())
    assert len(found) == 4
    for name, template in found:
        (making,), (main,) = template["spec"]["initContainers"], template["spec"]["containers"]
        assert making["command"][3:] == ["/data/media", "/data/my logs"], name
        for key in ("image", "resources", "securityContext", "volumeMounts"):
            assert making[key] == main[key], name
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / "a" / "b"), str(tmp_path)])
    exec(making["command"][2], {})
    assert (tmp_path / "a" / "b").is_dir()
    assert "initContainers" not in pods(made(plans.plan(**plans.KEPT)))[0][1]["spec"]
    assert "initContainers" not in pods(made(plans.plan(**plans.WRITING), volume="off"))[0][1]["spec"]


def test_pods_that_mount_one_volume_run_on_one_node() -> None:
    found = made(plans.plan(**{**plans.KEPT, "processes": (plans.WORKER, plans.NIGHTLY)}))
    (shared,) = {
        frozenset(_term(template)["labelSelector"]["matchLabels"].items()) for _, template in pods(found)
    }

    assert len(pods(found)) == 4
    # Each matches its own term: else the first of them would wait for another.
    assert all(shared <= template["metadata"]["labels"].items() for _, template in pods(found))
    assert all(_term(template)["topologyKey"] == "kubernetes.io/hostname" for _, template in pods(found))
    assert not [name for name, template in pods(made()) if "affinity" in template["spec"]]


def _term(template: Any) -> Any:
    (term,) = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return term


def test_nobody_reaches_migrations_and_workers() -> None:
    found = made()
    closed = by_kind(found, "NetworkPolicy", "shop-closed")["spec"]

    assert "ingress" not in closed
    assert closed["policyTypes"] == ["Ingress"]
    for name, template in pods(found):
        assert closed["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items(), name


def test_ingress_nginx_lets_through_what_the_server_takes() -> None:
    def annotations(**server: str) -> Any:
        found = made(server={**PROXIES, **server}, host="shop.example.com", ingress="nginx-public")
        return by_kind(found, "Ingress")["metadata"]["annotations"]

    assert annotations() == {"nginx.ingress.kubernetes.io/proxy-body-size": str(1 << 30)}
    assert annotations(timeout="2m", max_body="10M") == {
        "nginx.ingress.kubernetes.io/proxy-body-size": str(10 << 20),
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "125",
    }
    other = made(server=PROXIES, host="shop.example.com", ingress="traefik")
    assert "annotations" not in by_kind(other, "Ingress")["metadata"]


def test_an_ingress_without_a_certificate_is_said() -> None:
    wish = {"host": "shop.example.com", "ingress": "nginx"}
    assert (
        plans.workload(None, PROXIES, **wish).notes[0].startswith("the Ingress has no certificate of its own")
    )
    assert "certificate" not in "".join(plans.workload(None, PROXIES, tls_secret="shop-tls", **wish).notes)


def test_all_pods_share_the_static_files_of_their_releases() -> None:
    found = made(server={"static_keep": "/kept"})
    spec = by_kind(found, "Deployment", "shop")["spec"]["template"]["spec"]

    assert by_kind(found, "PersistentVolumeClaim", "shop-static")["spec"]["accessModes"] == ["ReadWriteMany"]
    assert {"name": "static", "mountPath": "/kept"} in spec["containers"][0]["volumeMounts"]
    assert by_kind(found, "ConfigMap")["data"]["NUAGES_STATIC_KEEP"] == "/kept"
    assert by_kind(found, "Deployment", "shop")["spec"]["replicas"] == 2


def test_an_autoscaler_decides_the_number_of_replicas_alone() -> None:
    found = made(autoscale="2-10")

    assert "replicas" not in by_kind(found, "Deployment", "shop")["spec"]
    assert by_kind(found, "HorizontalPodAutoscaler")["spec"]["maxReplicas"] == 10


def test_processes_run_as_often_as_they_may() -> None:
    found = made()
    worker = by_kind(found, "Deployment", "shop-worker")["spec"]
    beat = by_kind(found, "Deployment", "shop-beat")["spec"]
    nightly = by_kind(found, "CronJob", "shop-nightly")["spec"]

    assert worker["template"]["spec"]["terminationGracePeriodSeconds"] == 65
    (container,) = worker["template"]["spec"]["containers"]
    assert container["livenessProbe"]["exec"]["command"] == ["python", "-m", "nuages.runtime.pulse"]
    assert "signal.SIGQUIT" in container["lifecycle"]["preStop"]["exec"]["command"][2]
    assert (beat["replicas"], beat["strategy"]["type"]) == (1, "Recreate")
    assert (nightly["schedule"], nightly["concurrencyPolicy"]) == ("*/30 3 1,15 * mon", "Forbid")
    command = nightly["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[-1] == "$$(DAYS) %d"  # Kubernetes would put a variable there


def test_processes_can_be_chosen() -> None:
    found = made(process="worker")

    assert [one["metadata"]["name"] for one in found if one["kind"] == "Deployment"] == [
        "shop",
        "shop-worker",
    ]
    assert not [one for one in found if one["kind"] == "CronJob"]


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_any_projects_name_makes_valid_documents(name: str) -> None:
    for document in made(dataclasses.replace(plans.plan(), name=name)):
        kubernetes_validate.validate(document, NEWEST[-1], strict=True)
        assert len(document["metadata"]["name"]) <= (52 if document["kind"] == "CronJob" else 63)


def test_a_kustomization_names_every_file_and_keeps_the_secret_out() -> None:
    options = plans.options(format="kustomize")
    workload = plans.workload()
    files = folders.kustomize(workload, options, documents(workload, options))

    assert f"{folders.SECRET}" in files
    listed = [
        line.removeprefix("  - ").strip('"')
        for line in files["kustomization.yaml"].splitlines()
        if line.startswith("  - ")
    ]
    assert sorted(listed) == sorted(set(files) - {"kustomization.yaml", folders.SECRET})


def test_a_chart_with_its_own_values_is_what_is_printed() -> None:
    options = plans.options(format="helm")
    workload = plans.workload(None, {"access_log": "json", "static_max_age": "1h"})
    files = folders.helm(workload, options, documents(workload, options))
    values = {"image": workload.image, "replicas": "2", **workload.settings}
    digest = "-{{ .Values.settings | toJson | sha256sum | trunc 16 }}"
    written = [text for name, text in files.items() if name.startswith(("templates/0", "templates/1"))]

    def rendered(text: str) -> str:
        text = text.replace(digest, "")
        for name, value in values.items():
            for key in (f"{{{{ .Values.{name} | quote }}}}", f"{{{{ .Values.settings.{name} | quote }}}}"):
                text = text.replace(key, f'"{value}"')
            text = text.replace(f"{{{{ .Values.{name} }}}}", value)
        return text

    import yaml as reader

    assert all("{{" not in rendered(text) for text in written)
    assert [reader.safe_load(rendered(text)) for text in written] == made(
        server={"access_log": "json", "static_max_age": "1h"}
    )
    assert any(".Values.image" in text for text in written)
    # Each Deployment rolls when the options do, and none can be changed that another document relies on.
    assert sum(digest in text for text in written) == 4
    assert reader.safe_load(files["values.yaml"])["settings"] == {
        "NUAGES_ACCESS_LOG": "json",
        "NUAGES_STATIC_MAX_AGE": "3600s",
    }


def test_a_chart_of_a_volume_offers_no_replicas() -> None:
    options = plans.options(format="helm")
    workload = plans.workload(plans.plan(**plans.KEPT))
    files = folders.helm(workload, options, documents(workload, options))

    assert "replicas" not in files["values.yaml"]
    assert not [name for name, text in files.items() if ".Values.replicas" in text]


# Errors, each as a whole.


def error(**flags: Any) -> str:
    with pytest.raises(UsageError) as caught:
        made(**flags)
    return caught.value.render()


def test_more_pods_than_a_volume_allows() -> None:
    assert error(plan=plans.plan(**plans.KEPT), replicas="3") == (
        "error: files on a volume allow one replica only\n"
        "  --replicas, and what the project writes\n"
        "  a second pod would write the same files, or wait for the volume for ever:\n"
        "  /app/db.sqlite3  shop/settings.py:40\n"
        "\n"
        "hint: keep them in a database server and a bucket and say --volume off, or --replicas 1"
    )


def test_a_period_that_is_too_short() -> None:
    assert error(server={"grace": "60s"}, termination_grace="30s") == (
        "error: requests would be cut off at the end\n"
        "  --termination-grace, --drain and --grace\n"
        "  draining and finishing take up to 65 s, and the pod would be killed after 30 s\n"
        "\n"
        "hint: --termination-grace 70s, or a shorter --grace"
    )


def test_an_unknown_process() -> None:
    assert error(process="mailer") == (
        "error: there is no process 'mailer'\n"
        "  --process\n"
        "  the project has worker, beat, nightly\n"
        "\n"
        "hint: --process worker, or a line of [tool.nuages.processes]"
    )


@pytest.mark.parametrize("image", [None, "shop:latest", "shop@sha256:abc"])
def test_an_image_without_a_digest(image: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        pinned(image)
    why = f"{image} may be another image tomorrow" if image else "the documents say what to run"
    assert caught.value.render() == (
        f"error: {'the image has no digest' if image else 'no image is named'}\n  --image\n  {why}\n\n"
        "hint: --image NAME@sha256:…, where `nuages build --push` prints the digest"
    )


def test_a_route_without_proxies_or_without_hosts() -> None:
    assert error(ingress="nginx", host="shop.example.com") == (
        "error: the addresses of the proxy in front are not known\n"
        "  --ingress\n"
        "  who may say X-Forwarded-* is not guessed: a wrong guess lets clients choose their address\n"
        "\n"
        "hint: --trusted-proxies CIDR, the network that the controller's pods live in"
    )
    assert error(gateway="public", server=PROXIES).startswith("error: there is no host name\n  --gateway\n")
    assert error(host="Shop_1").startswith("error: 'Shop_1' is no host name\n  --host\n")


def test_a_certificate_without_an_ingress() -> None:
    assert error(server=PROXIES, gateway="public", host="shop.example.com", tls_secret="shop-tls") == (
        "error: there is no Ingress for the certificate\n"
        "  --tls-secret\n"
        "  a Gateway has its own, in its listener\n"
        "\n"
        "hint: --ingress CLASS, or leave --tls-secret out"
    )


def test_too_little_memory() -> None:
    assert error(memory="64M") == (
        "error: the memory is too little\n"
        "  --memory\n"
        "  64M for each project, and a worker takes 160M beside 64M for what they share\n"
        "\n"
        "hint: --memory 384M, or the --worker-memory that `nuages status` shows"
    )


@pytest.mark.parametrize(
    "flag", ["namespace", "ingress", "gateway", "tls_secret", "image_pull_secret", "storage_class"]
)
def test_a_name_that_kubernetes_would_refuse(flag: str) -> None:
    assert "names of objects are lower-case letters, digits and - between dots (RFC 1123)" in error(
        **{flag: "Bad_Name"}
    )


def test_more_memory_is_room_and_not_more_workers() -> None:
    assert plans.workload(memory="100G").workers == 2
    assert plans.workload(None, {"workers": "16"}, memory="100G").workers == 16


def test_kept_files_lie_at_an_absolute_path() -> None:
    assert error(server={"static_keep": "kept"}) == (
        "error: the folder of kept files has no place in the image\n"
        "  --static-keep\n"
        "  kept is relative, and a volume is mounted there\n"
        "\n"
        "hint: --static-keep /kept"
    )
