# Two images of mesozoic, for machines without and with an NVIDIA GPU:
#
#   docker build --target cpu  -t mesozoic:0.1.0-cpu .
#   docker build --target cuda -t mesozoic:0.1.0-cuda .
#   docker run --rm -v "$PWD/runs:/home/mesozoic/runs" mesozoic:0.1.0-cpu train trex --stage 1
#   docker run --rm --gpus all mesozoic:0.1.0-cuda bench
#
# cloud/train-docker.yaml rents machines that run the second one. On Vertex AI the file for metrics is root's, so an image
# for it is built with --build-arg RUN_AS=0:0, which scripts/setup_vertex_ai.sh does. Python packages have the versions of
# constraints.txt.
# scripts/check_image.sh executes these steps without a Docker engine; it reads the instructions used here and no others.

# Both ends start from the same image, so that the virtual environment made in one finds its Python in the other.
FROM python:3.11.15-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Without pip: the one outside installs into it, and the images do not carry a second one.
RUN python -m venv --without-pip /opt/mesozoic/venv


# The packages mesozoic needs, installed through a stub of it: made again when the pins change, not when the code does.
FROM build AS cpu-packages
COPY pyproject.toml hatch_build.py constraints.txt ./
COPY mesozoic/version.py mesozoic/
RUN mkdir configs && touch README.md LICENSE
# Rendering, sweeps, Vertex AI. With Stable-Baselines3, which brings PyTorch: --build-arg EXTRAS=viz,sweep,vertex,sb3
ARG EXTRAS=viz,sweep,vertex
RUN pip --python /opt/mesozoic/venv/bin/python install -c constraints.txt ".[$EXTRAS]"


# CUDA and Warp, which simulates on the GPU, come in wheels of the extra; the machine brings the driver.
FROM cpu-packages AS cuda-packages
RUN pip --python /opt/mesozoic/venv/bin/python install -c constraints.txt ".[cuda]"


# mesozoic itself, over the stub: a small last layer.
FROM build AS code
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY configs configs
COPY mesozoic mesozoic
RUN pip --python /opt/mesozoic/venv/bin/python install --no-deps .


# What both images run on.
FROM python:3.11.15-slim-bookworm AS runtime
LABEL org.opencontainers.image.title="mesozoic" \
      org.opencontainers.image.description="Train simulated dinosaurs to balance, walk and hunt" \
      org.opencontainers.image.licenses="Apache-2.0"
# EGL renders on a GPU or with Mesa, OSMesa on the processor alone; mesozoic takes the first that works (MUJOCO_GL is
# left unset). sudo and procps are for SkyPilot, whose set-up logs in as this user. It then installs rsync, sshd, pip
# and more by itself: without what they merely recommend, compilers among it, that is short. sshd is not installed
# here, because every machine would then have the same host keys.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libegl1 libopengl0 libgl1-mesa-dri libosmesa6 procps sudo \
 && rm -rf /var/lib/apt/lists/* \
 && echo 'APT::Install-Recommends "false";' > /etc/apt/apt.conf.d/90no-recommends
# A password that nothing matches (*) still admits ssh keys; a locked one (!) may not.
# `docker run --security-opt no-new-privileges` turns sudo off where nobody needs it.
RUN useradd --uid 1000 --user-group --create-home --shell /bin/bash --password '*' mesozoic \
 && echo 'mesozoic ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/mesozoic \
 && chmod 0440 /etc/sudoers.d/mesozoic \
 && install -d -o mesozoic -g mesozoic /home/mesozoic/runs \
 && ln -s /opt/mesozoic/venv/bin/mesozoic /usr/local/bin/mesozoic
# HOME is said aloud because SkyPilot prepares the container as root and hands root's variables on to the user.
# cloud/node-setup.sh finds the packages by the other one.
ENV HOME=/home/mesozoic \
    MESOZOIC_IMAGE_VENV=/opt/mesozoic/venv \
    PYTHONUNBUFFERED=1
WORKDIR /home/mesozoic
# By number, so that Kubernetes sees that it is not root.
ARG RUN_AS=1000:1000
USER $RUN_AS
ENTRYPOINT ["mesozoic"]
CMD ["--help"]


FROM runtime AS cuda
# The container toolkit mounts these parts of the machine's driver; graphics is what EGL needs.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
COPY --from=cuda-packages /opt/mesozoic /opt/mesozoic
COPY --from=code /opt/mesozoic /opt/mesozoic


# The last one is what `docker build .` makes.
FROM runtime AS cpu
COPY --from=cpu-packages /opt/mesozoic /opt/mesozoic
COPY --from=code /opt/mesozoic /opt/mesozoic
