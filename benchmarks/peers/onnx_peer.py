"""ONNX Runtime, with the graph that rnn_native.export writes."""

import onnxruntime as ort

from rnn_native.export.onnx_file import onnx_model

VERSION = f"ONNX Runtime {ort.__version__}"


def predict(job, batches):
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    graph = onnx_model(job.network).SerializeToString()
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    outputs = ["probabilities"]
    return lambda x: session.run(outputs, {"x": x})[0], batches
