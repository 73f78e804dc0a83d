# syntax=docker/dockerfile:1
# The sync server in a container: see docs/install.md. Build: docker build -t anki-sync-server .
# CI runs these very steps in a clean root where there is no builder (test/packages/container.test.ts), so they keep to
# FROM, WORKDIR, COPY, RUN, ENV, USER and what describes the image.

FROM node:26-trixie-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY packaging/node packaging/node
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json CHANGELOG.md LICENSE README.md README.ja.md ./
COPY bin bin
COPY docs docs
COPY packaging packaging
COPY scripts scripts
COPY src src
RUN npm pack --pack-destination /tmp && tar -xzf /tmp/anki-sync-server-ts-*.tgz -C /tmp \
 && mkdir -p /out && mv /tmp/package /out/anki-sync-server
# The compiled program has all packages inside; nothing is installed beside it.

FROM node:26-trixie-slim
COPY --from=build /out/anki-sync-server /opt/anki-sync-server
COPY packaging/container/entrypoint.sh /usr/local/bin/anki-sync-entrypoint
RUN chmod 755 /usr/local/bin/anki-sync-entrypoint \
 && ln -s /opt/anki-sync-server/bin/anki-sync-server.js /usr/local/bin/anki-sync-server \
 && chmod 755 /opt/anki-sync-server/bin/anki-sync-server.js \
 && mkdir -m 700 /anki_data && chown 1000:1000 /anki_data
ENV SYNC_BASE=/anki_data
VOLUME /anki_data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=10s CMD ["anki-sync-server", "--healthcheck"]
USER 1000:1000
ENTRYPOINT ["anki-sync-entrypoint"]
