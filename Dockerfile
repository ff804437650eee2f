# Martlet in a container: the one binary, and a user of its own who runs it.
#
#   docker build -t martlet .
#   docker run -p 8080:8080 -v martlet:/data martlet
#
# Without a command it is `martlet serve`; docker-compose.yml runs proxies and nodes.

FROM rust:1.95-bookworm AS build
WORKDIR /build
# With `.cargo/config.toml`, which says how SQLite is compiled.
COPY . .
RUN cargo build --release --locked -p martlet

FROM debian:bookworm-slim
RUN useradd --system --uid 10400 --home-dir /data --shell /usr/sbin/nologin martlet \
    # A volume that is mounted here for the first time belongs to whom the folder belongs to.
    && install --directory --owner martlet --mode 0700 /data /cluster \
       /cluster/node-1 /cluster/node-2 /cluster/node-3 /cluster/proxy-1 /cluster/proxy-2
COPY --from=build /build/target/release/martlet /usr/local/bin/martlet
USER martlet
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["martlet", "health", "--admin", "127.0.0.1:9400"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["martlet"]
CMD ["serve", "--data", "/data", "--listen", "0.0.0.0:8080", "--admin", "127.0.0.1:9400"]
