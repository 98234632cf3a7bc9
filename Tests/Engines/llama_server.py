"""llama.cpp's server until SIGTERM: `python llama_server.py MODEL_FILE NAME`, with the engines' packages.

Two requests at once, the others wait. The context shifts, so that a request can run for as long as a test looks at it.
"""

import signal
import sys

import xllamacpp


def main(model_file, name):
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model_file
    parameters.model_alias = [name]
    parameters.n_parallel, parameters.n_ctx, parameters.ctx_shift = 2, 4096, True
    parameters.cpuparams.n_threads = 1
    parameters.endpoint_metrics = True
    # Port 0: the kernel chooses.
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    # The server stops when it is let go.
    server = xllamacpp.Server(parameters)
    print(f"ready on {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main(*sys.argv[1:])
