# syntax=docker/dockerfile:1
# Images of Martlet: nothing but the program, what it links, and the certificates of public authorities. No shell.
#
#   docker build --tag martlet:0.1.0 .                             arguments are those of martlet: epp --pool-name …
#   docker build --target epp --tag martlet-epp:0.1.0 .            in place of an endpoint picker's image: --pool-name …
#   docker build --target bbr --tag martlet-bbr:0.1.0 .            in place of a body-based router's image
ARG SWIFT_VERSION=6.3.1

FROM swift:${SWIFT_VERSION}-bookworm AS build
WORKDIR /source
COPY . .
# As `make build` does.
RUN swift build -c release --product martlet --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked \
    && scripts/make-container-root .build/release/martlet /image

FROM scratch AS program
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Martlet" \
    org.opencontainers.image.description="An inference gateway: endpoint picker, body-based router, proxy" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# By number, so that Kubernetes sees that it is not root.
USER 65532:65532

FROM program AS epp
EXPOSE 9002 9003 9090
ENTRYPOINT ["/martlet", "epp"]

FROM program AS bbr
EXPOSE 9004 9005 9090
ENTRYPOINT ["/martlet", "bbr"]

FROM program AS martlet
ENTRYPOINT ["/martlet"]
