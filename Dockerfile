# medkd on a CPU, with the tested versions. Build it in the clone, and run it on the current folder:
#   docker build --build-arg TORCH_INDEX=INDEX -t medkd .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" medkd demo
# INDEX: address of PyTorch's CPU wheels, see docs/get-started/install.md. Without it pip fetches the CUDA build, which runs on
# a CPU too and is several GB larger.
FROM python:3.11-slim AS build
ARG TORCH_INDEX=""
ENV PATH=/opt/medkd/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/medkd
WORKDIR /src
COPY constraints.txt .
# a layer of its own: it is large and changes rarely
RUN pip install -c constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
COPY . .
RUN pip install -c constraints.txt ".[export,openvino,dicom,workflow]"

FROM python:3.11-slim
# the user is any one that --user names: what libraries cache goes where everybody may write
ENV PATH=/opt/medkd/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
COPY --from=build /opt/medkd /opt/medkd
USER 1000
WORKDIR /data
ENTRYPOINT ["medkd"]
CMD ["--help"]
