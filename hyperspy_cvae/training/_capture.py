"""What a GPU is told to do again and again, told once."""

from collections.abc import Callable

import torch

_WARM_UP = 3  # calls, in which libraries choose their algorithms


def captured(function: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """Return what a function makes the current GPU do, as a graph that can be replayed.

    A GPU is done with an operation of a small network before it has been told of the next; of a
    graph it is told at once. The function is called a few times, and is to read and write the same
    tensors in every call.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        function()
    return graph
