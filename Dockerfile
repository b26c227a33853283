FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends haproxy bird2 nftables iproute2 ca-certificates curl util-linux nodejs npm \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /plumb
COPY package.json package-lock.json ./
COPY packages packages
RUN npm ci --omit=dev --no-fund --no-audit
COPY . .
# The launcher finds everything in place and installs nothing more.
RUN ./plumb setup && ./plumb --version
ENTRYPOINT ["/plumb/plumb"]
