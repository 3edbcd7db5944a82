# The decision service alone: neither training nor notebooks. The home folder (bundle, features, ledger, keys) is a volume
# that `dirigent import`, `train` and `promote` fill; the image holds no data and no secret. It runs with a read-only root:
# only the home and /tmp are written (compose.yaml sets that, and takes every capability away).
FROM python:3.11-slim-bookworm AS builder
COPY requirements/serving.lock /build/serving.lock
RUN python -m venv /opt/dirigent \
 && /opt/dirigent/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /build/serving.lock \
 && echo /app > /opt/dirigent/lib/python3.11/site-packages/dirigent.pth \
 && printf '#!/opt/dirigent/bin/python\nfrom dirigent.main import run\n\nif __name__ == "__main__":\n    run()\n' > /opt/dirigent/bin/dirigent \
 && chmod 755 /opt/dirigent/bin/dirigent
COPY . /app
# compiled here, because the running service cannot write it; readable whatever the umask of who builds
RUN /opt/dirigent/bin/python -m compileall -q /app \
 && chmod -R u=rwX,go=rX /app

FROM python:3.11-slim-bookworm
# LightGBM's wheel links to the system's OpenMP, which the slim image lacks
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 dirigent \
 && useradd --uid 10001 --gid dirigent --home-dir /var/lib/dirigent --create-home --shell /usr/sbin/nologin dirigent
COPY --from=builder /opt/dirigent /opt/dirigent
COPY --from=builder /app /app
WORKDIR /app
# 0.0.0.0 is the container's own network: outside of a container the service binds to 127.0.0.1.
# What libraries want to keep in a home folder goes to /tmp and is forgotten.
ENV PATH=/opt/dirigent/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BENTOML_DO_NOT_TRACK=True \
    BENTOML_HOME=/tmp/bentoml \
    DIRIGENT_HOME=/var/lib/dirigent \
    DIRIGENT_HOST=0.0.0.0 \
    DIRIGENT_PORT=8090
USER 10001:10001
VOLUME /var/lib/dirigent
EXPOSE 8090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['DIRIGENT_PORT'] + '/readyz', timeout=2)"]
ENTRYPOINT ["dirigent"]
CMD ["serve"]
