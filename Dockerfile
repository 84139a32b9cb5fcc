# The bases are pinned by version. Before you rely on an image, pin them by the digests that your registry shows.
FROM rust:1.95-slim-trixie AS build
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libpq-dev \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The toolchain of this image, not the one that rust-toolchain.toml would install.
RUN rm rust-toolchain.toml
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
  cargo build --locked --profile dist --no-default-features --features postgres \
  && install -D target/dist/countersign /out/countersign

FROM debian:trixie-slim
# The packages are Debian's newest, for their security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates libpq5 \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --mode=700 --owner=65532 --group=65532 /var/lib/countersign
COPY --from=build /out/countersign /usr/local/bin/countersign
USER 65532:65532
# Everything that the service writes is here; the root may be read-only.
WORKDIR /var/lib/countersign
VOLUME /var/lib/countersign
# Each container has a network of its own. Publish the second port, of /healthz, /readyz and /metrics, to nobody outside.
ENV COUNTERSIGN_LISTEN=0.0.0.0:8080 \
    COUNTERSIGN_MANAGEMENT_LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["countersign", "healthcheck"]
ENTRYPOINT ["countersign"]
CMD ["serve"]
