# The three images, each a target of its own: `training`, `mlflow` and `drift`. BuildKit, which Docker
# uses by default, builds only the stages that a target needs.
# BASE_IMAGE is the stage's, in cdk.json: Debian or alike, with Python 3.13, venv and pip.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS builder
WORKDIR /build
# Wheels only, so that no image needs a compiler. The virtual environment has no pip, so that nothing
# in an image can install anything.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all:
RUN python3 -m venv --without-pip /venv && python3 -m venv /tools
COPY constraints.txt ./
# constraints.txt holds the hashes of all files. The base's own pip may be too old to take them from
# there; this one checks them.
RUN sed -n '/^pip==/,/[^\]$/p' constraints.txt > pip.txt && /tools/bin/python -m pip install -r pip.txt

# Libraries are compiled: on a read-only root Python would compile them again at each start.
FROM builder AS training-libraries
COPY training_job/requirements.txt training_job/
RUN /tools/bin/python -m pip --python /venv/bin/python install -r training_job/requirements.txt

FROM builder AS drift-libraries
COPY monitoring_job/requirements.txt monitoring_job/
COPY lambdas/drift/requirements.txt lambdas/drift/
RUN /tools/bin/python -m pip --python /venv/bin/python install -r lambdas/drift/requirements.txt

# These are not: the server starts once in a deployment, and its image would be a fifth larger.
FROM builder AS mlflow-libraries
COPY mlflow_server/requirements.txt mlflow_server/
RUN /tools/bin/python -m pip --python /venv/bin/python install --no-compile -r mlflow_server/requirements.txt

# The certificates of RDS, for sslmode=verify-full. An empty URL leaves the file empty: for a
# database that isn't on RDS, with another SSLROOTCERT or SSLMODE.
FROM builder AS certificates
ARG RDS_BUNDLE_URL=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
RUN mkdir /rds && touch /rds/bundle.pem \
    && if [ -n "${RDS_BUNDLE_URL}" ]; then \
        python3 -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])' \
            "${RDS_BUNDLE_URL}" /rds/bundle.pem; fi

FROM ${BASE_IMAGE} AS runtime
# Remove the base's own pip, and what could install it again.
RUN rm -rf $(python3 -c 'import ensurepip, pip; \
        print(*ensurepip.__path__, pip.__path__[0], pip.__path__[0] + "-*.dist-info")') \
        /usr/share/python-wheels /usr/local/bin/pip* /usr/bin/pip*
# The root file system is read-only: whatever must write finds /tmp.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    GIT_PYTHON_REFRESH=quiet
WORKDIR /app
USER 10001:10001

FROM runtime AS training
COPY --from=training-libraries /venv /venv
COPY domain domain
COPY adapters adapters
COPY tabular tabular
COPY training_job training_job
# Fargate gives a volume the owner and mode that the image declares for it.
VOLUME /tmp
CMD ["python", "-m", "training_job", "--help"]

FROM runtime AS mlflow
COPY --from=mlflow-libraries /venv /venv
COPY --from=certificates /rds /etc/ssl/rds
COPY domain domain
COPY mlflow_server mlflow_server
VOLUME /tmp
EXPOSE 5000
CMD ["python", "-m", "mlflow_server"]

FROM runtime AS drift
COPY --from=drift-libraries /venv /venv
COPY domain domain
COPY adapters adapters
COPY tabular tabular
COPY monitoring_job monitoring_job
COPY lambdas/__init__.py lambdas/
COPY lambdas/drift lambdas/drift
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["lambdas.drift.handler.handler"]
