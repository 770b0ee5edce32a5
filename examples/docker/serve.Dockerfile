# imgfix as a server: an ordinary user, a file system that is only read, one folder for its state. From the root of the
# repository:
#
#   docker build -f examples/docker/serve.Dockerfile -t imgfix-serve .
#   openssl rand -hex 24 > token.txt && chmod 644 token.txt
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v imgfix-state:/state -v imgfix-models:/models:ro -v "$PWD/token.txt:/run/secrets/token:ro" \
#     -p 127.0.0.1:8765:8765 imgfix-serve
#
# Models are not fetched by the server. To add some to the volume:
#
#   docker run --rm -v imgfix-models:/models imgfix-serve weights pull u2netp mobile-sam
#
# Behind a proxy with TLS, add: serve --host 0.0.0.0 --token-file /run/secrets/token --folder /state --name photos.example
FROM python:3.12-slim

COPY .ci/constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu -c /tmp/constraints.txt torch

COPY pyproject.toml README.md LICENSE /source/
COPY imgfix /source/imgfix
COPY weights /source/weights
RUN pip install --no-cache-dir -c /tmp/constraints.txt '/source[serve,heif,jxl]' && rm -r /source

# Volumes that are made from these folders belong to the user, too.
RUN useradd --create-home --uid 1000 imgfix && install -d -o imgfix -g imgfix -m 700 /state && install -d -o imgfix -g imgfix /models
ENV IMGFIX_HOME=/models PYTHONDONTWRITEBYTECODE=1
USER imgfix
WORKDIR /state
VOLUME ["/state", "/models"]
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["imgfix"]
CMD ["serve", "--host", "0.0.0.0", "--token-file", "/run/secrets/token", "--folder", "/state"]
