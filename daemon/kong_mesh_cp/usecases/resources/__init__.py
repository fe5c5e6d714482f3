"""Reading, writing and inspecting resources: what the API and `kumactl` do, without HTTP."""
