"""The command lines of the engines, word by word. Sources: docker's and podman's command-line references, buildah's
manual pages; `tests/image` runs each of them."""

from __future__ import annotations

import pytest

from nuages.image import engine

WHOLE = engine.Order(
    context="/b/context", dockerfile="/b/context/Dockerfile", tags=("shop:1", "registry.example.com/shop:1"),
    iidfile="/b/iid", secrets=(("packages", "/b/packages"), ("ca", "/etc/ca.crt")), volumes=("/opt/wheels",),
    platform="linux/arm64", cache=False, timestamp=1577836800, has_healthcheck=True, isolation="chroot",
)  # fmt: skip
PLAIN = engine.Order(context="/c", dockerfile="/c/Dockerfile", tags=("shop:1",), iidfile="/i")
SHARED = (
    "--file /b/context/Dockerfile --iidfile /b/iid --tag shop:1 --tag registry.example.com/shop:1 "
    "--secret id=packages,src=/b/packages --secret id=ca,src=/etc/ca.crt"
)
MOUNTED = "--network=host --volume /opt/wheels:/opt/wheels:ro --isolation chroot --format docker --timestamp 1577836800"
TEMPLATE = '--format {{printf "%s" .Manifest.Digest}}'
STRICTLY = (
    "--network=none --read-only --tmpfs /tmp --user 54321:0 --cap-drop=ALL --security-opt=no-new-privileges"
)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            engine.build("docker", WHOLE),
            f"docker buildx build --load {SHARED} --platform linux/arm64 --no-cache /b/context",
        ),
        (
            engine.build("podman", WHOLE),
            f"podman build --layers --force-rm {SHARED} {MOUNTED} --platform linux/arm64 --no-cache /b/context",
        ),
        (
            engine.build("buildah", WHOLE),
            f"buildah build --layers --force-rm {SHARED} {MOUNTED} --platform linux/arm64 --no-cache /b/context",
        ),
        (engine.build("docker", PLAIN), "docker buildx build --load --file /c/Dockerfile --iidfile /i --tag shop:1 /c"),
        (
            engine.build("buildah", PLAIN),
            "buildah build --layers --force-rm --file /c/Dockerfile --iidfile /i --tag shop:1 --network=host /c",
        ),
        (engine.answers("docker"), "docker version --format {{.Server.Version}}"),
        (engine.answers("podman"), "podman --version"),
        (engine.builds("docker"), "docker buildx version"),
        (engine.builds("buildah"), "buildah --version"),
        (engine.push("docker", "r.example.com/shop:1", "/d"), "docker push r.example.com/shop:1"),
        (engine.push("podman", "r.example.com/shop:1", "/d"), "podman push --digestfile /d r.example.com/shop:1"),
        (engine.push("buildah", "r.example.com/shop:1", "/d"), "buildah push --digestfile /d r.example.com/shop:1"),
        (engine.pushed("shop:1"), 'docker image inspect --format {{join .RepoDigests "\\n"}} shop:1'),
        (engine.pinned("docker", "python:3.13"), f"docker buildx imagetools inspect {TEMPLATE} python:3.13"),
        (engine.pinned("podman", "python:3.13"), "podman image inspect --format {{.Digest}} python:3.13"),
        (engine.save("docker", "sha256:1", "/o.tar", "/d"), "docker save --output /o.tar sha256:1"),
        (engine.save("podman", "1", "/o.tar", "/d"), "podman push --digestfile /d 1 oci-archive:/o.tar"),
        (engine.save("buildah", "1", "/o.tar", "/d"), "buildah push --digestfile /d 1 oci-archive:/o.tar"),
        (engine.digest("docker", "1"), "docker image inspect --format {{.Id}} 1"),
        (engine.digest("podman", "1"), "podman image inspect --format {{.Digest}} 1"),
        (engine.digest("buildah", "1"), "buildah inspect --type image --format {{.FromImageDigest}} 1"),
        (engine.has("docker", "shop"), "docker image inspect shop"),
        (engine.has("podman", "shop"), "podman inspect --type image shop"),
        (engine.has("buildah", "shop"), "buildah inspect --type image shop"),
        (engine.archive("docker", "1", "/a.tar"), "docker save --output /a.tar 1"),
        (engine.archive("podman", "1", "/a.tar"), "podman save --format docker-archive --output /a.tar 1"),
        (engine.archive("buildah", "1", "/a.tar"), "buildah push 1 docker-archive:/a.tar"),
        (
            engine.start("docker", "shop", {"SECRET_KEY": "x y"}, "54321:0"),
            f"docker run --detach {STRICTLY} --env SECRET_KEY=x y shop",
        ),
        (engine.start("podman", "shop", {}, "54321:0"), f"podman run --detach {STRICTLY} shop"),
        (engine.stop("docker", "c1", 40), "docker stop -t 40 c1"),
        (engine.stop("podman", "c1", 40), "podman stop -t 40 c1"),
    ],
)  # fmt: skip
def test_what_an_engine_is_asked(words: list[str], line: str) -> None:
    assert " ".join(words) == line


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("shop", "shop:latest"),
        ("shop:1", "shop:1"),
        ("localhost:5000/team/shop", "localhost:5000/team/shop:latest"),
    ],
)
def test_buildah_hands_an_image_to_docker_by_a_file(tag: str, name: str) -> None:
    assert engine.load(tag, "/l.tar") == (
        ["buildah", "push", tag, f"docker-archive:/l.tar:{name}"],
        ["docker", "load", "--input", "/l.tar"],
    )


def test_a_value_with_a_space_stays_one_word() -> None:
    assert "SECRET_KEY=x y" in engine.start("docker", "shop", {"SECRET_KEY": "x y"}, "1:0")
