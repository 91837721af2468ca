# An image that runs braidd. Built from the source tree: `docker build -t braid .`
#
# On network cards (VFIO):
#   docker run --device /dev/vfio/vfio --device /dev/vfio/42 --device /dev/net/tun -v /dev/hugepages:/dev/hugepages \
#     -v /etc/braid:/etc/braid:ro --cap-add IPC_LOCK --cap-add NET_ADMIN --ulimit memlock=-1 braid
# On kernel interfaces inside the container's network namespace (AF_PACKET, no hugepages, no cards):
#   docker run --device /dev/net/tun -v /etc/braid:/etc/braid:ro --cap-add NET_ADMIN --cap-add NET_RAW \
#     --cap-add IPC_LOCK --ulimit memlock=-1 braid
# AF_XDP ports: the same with `--user root --cap-add BPF`. None of this needs --privileged. The capabilities named are
# part of braidd's file, so the kernel refuses to start it ("operation not permitted") when one is not added.

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      cmake g++ mold ninja-build pkg-config \
      libbenchmark-dev libboost-dev libcivetweb-dev libcli11-dev libdpdk-dev libfmt-dev libgtest-dev libjemalloc-dev libmnl-dev libspdlog-dev \
      libssl-dev libsystemd-dev libyaml-cpp-dev libgmock-dev nlohmann-json3-dev prometheus-cpp-dev libtbb-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    && cmake --build /build --target braidd braidctl \
    && strip /build/app/braidd /build/app/braidctl

FROM debian:bookworm-slim
# DPDK loads its drivers at run time, so nothing else would pull them in: buses, the mempool driver and the PMDs of
# the profiles in drivers-config/ by name.
RUN apt-get update && apt-get install -y --no-install-recommends \
      libcap2-bin libcivetweb1 libfmt9 libjemalloc2 libmnl0 libprometheus-cpp-core1.0 libspdlog1.10 libssl3 \
      libsystemd0 libyaml-cpp0.7 nftables \
      librte-eal23 librte-ethdev23 librte-mbuf23 librte-mempool23 librte-net23 librte-hash23 \
      librte-bus-pci23 librte-bus-vdev23 librte-mempool-ring23 \
      librte-net-af-packet23 librte-net-af-xdp23 librte-net-ring23 librte-net-tap23 \
      librte-net-ena23 librte-net-i40e23 librte-net-ice23 librte-net-ixgbe23 librte-net-mlx5-23 \
      librte-net-virtio23 librte-net-vmxnet3-23 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin braid \
    && install -d -o braid -g braid /run/braid
COPY --from=build /build/app/braidd /usr/sbin/braidd
COPY --from=build /build/app/braidctl /usr/bin/braidctl
COPY drivers-config /usr/share/braid/drivers-config
COPY config /usr/share/doc/braid/config
# A process that is not root gets capabilities only from its file; nft is started by braidd and needs its own.
RUN setcap cap_net_admin,cap_net_raw,cap_ipc_lock+ep /usr/sbin/braidd && setcap cap_net_admin+ep /usr/sbin/nft
USER braid
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s CMD ["/usr/bin/braidctl", "info"]
ENTRYPOINT ["/usr/sbin/braidd"]
CMD ["--config", "/etc/braid/braid.yaml"]
