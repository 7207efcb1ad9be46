# gradlab as a container: small, without a root user, on a read-only file system. docs/deploy.md explains each part.
FROM python:3.11-slim

# The fonts of exported pictures, Korean, Chinese and Japanese among them.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-noto-cjk fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
# The CPU build of the torch that every weight was drawn with; the default build for Linux has CUDA and several GB.
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock

COPY app.py ./
COPY .streamlit .streamlit
COPY gradlab gradlab
COPY pages pages

# Kernels are compiled for the machine that runs them, into a folder that any user may own: /tmp is a tmpfs.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 GRADLAB_CACHE=/tmp/gradlab-kernels HOME=/tmp
USER 65534:65534
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true", \
     "--server.fileWatcherType=none", "--client.showErrorDetails=none"]
