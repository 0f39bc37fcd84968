"""Where a process of ours begins: `python …/beginning/__main__.py worker-1 CONTROL DUMP`, or zygote-0, started by
`runtime.child`, which gives it the two descriptors.

It is started by its path, not with `-m`: only the supervisor's own sys.path, which comes over the control channel,
says where nuages and the project are. And from a folder of its own: Dynaconf looks for a `settings.py` beside the
program that was started, and loaded runtime/settings.py.
"""

import sys


def _begin() -> None:
    # Python puts it there; nothing in it is to be imported.
    here = __file__.rpartition("/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != here]
    import json
    import socket

    control, dump = socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3])
    assignment = json.loads(control.recv(1 << 20))
    sys.path[:] = assignment["sys_path"]
    kind = sys.argv[1].partition("-")[0]
    # Settings that look at sys.argv[1] find a word there, as under every other server.
    sys.argv[1:] = ["serve"]
    if kind == "zygote":
        import gc

        gc.disable()  # for good, and before what it shares is loaded: see runtime.zygote.main
        from nuages.runtime.zygote import main
    else:
        from nuages.runtime.worker import main
    main(control, dump, assignment)


if __name__ == "__main__":
    _begin()
