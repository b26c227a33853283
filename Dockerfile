# Packages are installed where npm is, and taken without it.
FROM debian:bookworm-slim AS packages
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm ca-certificates
WORKDIR /plumb
COPY package.json package-lock.json ./
COPY packages packages
RUN npm ci --omit=dev --no-fund --no-audit
COPY . .

FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends haproxy bird2 nftables iproute2 ca-certificates curl util-linux \
  && rm -rf /var/lib/apt/lists/*
COPY --from=packages /plumb /plumb
WORKDIR /plumb
# The launcher finds everything in place and installs nothing more; what it compiles is kept, so that an agent starts without the compiler (`src/memory`).
RUN ./plumb setup && ./plumb --version
ENTRYPOINT ["/plumb/plumb"]
