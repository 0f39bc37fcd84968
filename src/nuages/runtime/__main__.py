"""Where a process of ours begins: `python …/runtime/__main__.py worker-1 DESCRIPTOR`, or zygote-0, started by `child`.

It is started by its path, not with `-m`: only the supervisor's own sys.path, which comes over the control channel,
says where nuages and the project are.
"""

import sys


def _begin() -> None:
    # This folder has modules named like the standard library's and Django's.
    here = __file__.rpartition("/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != here]
    import json
    import socket

    control = socket.socket(fileno=int(sys.argv[2]))
    assignment = json.loads(control.recv(1 << 20))
    sys.path[:] = assignment["sys_path"]
    kind = sys.argv[1].partition("-")[0]
    # Settings that look at sys.argv[1] find a word there, as under every other server.
    sys.argv[1:] = ["serve"]
    if kind == "zygote":
        from nuages.runtime.zygote import main
    else:
        from nuages.runtime.worker import main
    main(control, assignment)


if __name__ == "__main__":
    _begin()
