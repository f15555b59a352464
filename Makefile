# Two commands a stranger needs: `make demo` and `make test`. The rest is for those who work on maskcam.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
comma := ,
# With CI set, the tests that need TensorFlow run too; without it they skip with a reason.
TEST_EXTRAS = $(if $(CI),test$(comma)convert,test)

.PHONY: coverage coverage-core demo demo-page docs release test test-mqtt test-homeassistant test-history test-workers test-all test-web test-systemd test-guest test-virtual check audit clean test-arm64 test-faults test-soak test-fuzz test-mutation

demo: $(VENV)/.demo
	$(BIN)/maskcam run --config configs/demo.toml --duration 20 --sheet demo.png --overwrite
	@echo "Look at demo.png: annotated frames of what the camera saw."
	@echo "The page of the running demo: make demo-page, then http://127.0.0.1:8765/"

# The demo until Ctrl-C, to look at its page and its door sign (/sign).
demo-page: $(VENV)/.demo
	$(BIN)/maskcam run --config configs/demo.toml

# With CI set, the tests that need TensorFlow run too, and those of the core under coverage. In two processes, a file in
# one of them; JOBS=1: in one.
JOBS ?= 2
test: $(VENV)/.$(TEST_EXTRAS) $(if $(CI),coverage-core)
	$(BIN)/python -m pytest $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile --no-loadscope-reorder) \
	  $(if $(CI),$(CORE:%=--ignore=tests/%))

# The same under coverage, which takes longer; the figure is the last line.
coverage: $(VENV)/.$(TEST_EXTRAS)
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report | tail -n 1

# The parts that see, decide and tell, by their own tests: a minute. The figure is the last line.
CORE = core config vision tracking sinks assemble
coverage-core: $(VENV)/.$(TEST_EXTRAS)
	$(BIN)/coverage run -m pytest -q $(CORE:%=tests/%)
	$(BIN)/coverage report --include='$(subst $() ,$(comma),$(CORE:%=edge/%/*))' | tail -n 1

# All of them, and power cuts at every point in place of every fourth or fifth.
test-all:
	$(MAKE) test CI=true TEST_ALL=1

# The page and the door sign in a real browser (apt: chromium chromium-driver), with axe-core from npm; or it skips.
test-web: $(VENV)/.test$(comma)browser
	mkdir -p $(VENV)/axe
	cd $(VENV)/axe && { test -e package/axe.min.js || { npm pack --silent axe-core@4.14.1 && tar xzf axe-core-*.tgz; } || true; }
	AXE=$(abspath $(VENV))/axe/package/axe.min.js TEST_WEB=1 $(BIN)/python -m pytest tests/web/test_browser.py tests/train/labelling tests/web/test_prometheus.py tests/web/test_api.py -rs --durations=5

# The service under a real systemd, in a container: needs root, debootstrap and systemd-nspawn; skips with a reason.
test-systemd: $(VENV)/.test
	TEST_SYSTEMD=1 $(BIN)/python -m pytest tests/systemd -rs -s --durations=5

# Boards: wheels for 64- and 32-bit Arm, and the CPU engine on an emulated aarch64 (root, debootstrap, qemu-user-static).
test-arm64: $(VENV)/.$(TEST_EXTRAS)
	PYTHON=$(abspath $(BIN)/python) tests/arm64/run.sh

# Real V4L2 devices, GPIO lines and limits of the kernel, in an emulated machine: root, QEMU, debootstrap; or it skips.
test-guest: $(VENV)/.test
	TEST_GUEST=1 $(BIN)/python -m pytest tests/guest -rs -s --durations=5

# A flashed card in an emulated board (ARCH=arm64: of 64-bit Arm, ARCH=rpi3: a Raspberry Pi 3): root, QEMU, debootstrap;
# minutes. Its root file system stays in VIRTUAL (a folder), else in .virtual.
test-virtual: $(VENV)/.test
	VIRTUAL=$(abspath $(or $(VIRTUAL),.virtual)) $(BIN)/python -m pytest tests/virtual -rs -s --durations=5

# Events, broker killed and restarted, TLS, fifty cameras: at a real Mosquitto.
test-mqtt: $(VENV)/.test
	$(BIN)/python -m pytest tests/mqtt -rs --durations=5

# The same entities in the real Home Assistant Core, from its package in an environment of its own (Python 3.11; janus is
# what its file_upload wants; by uv, in seconds: pip took more than 17 minutes). If it cannot be installed, the target
# says so and the test skips.
HOMEASSISTANT ?= .venv-homeassistant
test-homeassistant: $(VENV)/.test
	@test -x $(HOMEASSISTANT)/bin/hass || \
	  { $(BIN)/uv venv --quiet --clear --no-python-downloads --python python3.11 $(HOMEASSISTANT) && \
	  $(BIN)/uv pip install --quiet --python $(HOMEASSISTANT)/bin/python homeassistant==2024.3.3 paho-mqtt==1.6.1 \
	  janus==1.0.0; } || \
	  { rm -rf $(HOMEASSISTANT); echo "Home Assistant could not be installed; its test skips"; }
	HOMEASSISTANT=$(abspath $(HOMEASSISTANT)) $(BIN)/python -m pytest tests/mqtt/test_homeassistant.py -rs

# Two processes train one network; one is killed, both go on. A classifier and a detector in two stages; minutes.
test-workers: $(VENV)/.test$(comma)convert
	TEST_WORKERS=1 $(BIN)/python -m pytest tests/train/fitting/test_train_workers.py -rs --durations=5

# The file of visits, its writer killed at 300 random points.
test-history: $(VENV)/.test
	TEST_KILLS=300 $(BIN)/python -m pytest tests/history

# The documentation, every link checked, into build/site; `make docs SERVE=1` shows it and follows changes.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve,build --strict --quiet)

# Every fault that has a proof, and a table of them at the end; the fast part of it runs with `make test` too. After 15
# minutes it is interrupted, which fails, and the table tells what came until then.
test-faults: $(VENV)/.test
	TEST_FAULTS=1 timeout --foreground --signal=INT 15m $(BIN)/python -m pytest -m fault

# A simulated month, 2,000 reopenings of a lost camera, 2,000 reloads: flat by regression.
test-soak: $(VENV)/.test
	TEST_SOAK=1 $(BIN)/python -m pytest tests/soak

# EXAMPLES inputs of each kind, then as many guided by coverage (atheris, where it has a wheel); `make test` takes a few.
test-fuzz: $(VENV)/.test$(comma)fuzz
	TEST_FUZZ=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/fuzz tests/operations/test_flash_cards.py
	$(BIN)/python .ci/fuzz $(or $(EXAMPLES),2000)

# One thing changed at a time in the modules that must not be wrong: a test must fail. PARTS="alerts update": some of
# them; JOBS=4: at a time. Hours; what survives and is not argued in docs/mutation.md is shown.
test-mutation: $(VENV)/.test$(comma)mutation
	$(BIN)/python .ci/mutation $(PARTS)

# dist/: sdist, wheel, bills of materials and digests of the commit, built twice and compared.
release: $(VENV)/.release
	$(BIN)/python .ci/release

check: $(VENV)/.$(TEST_EXTRAS) audit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Known weaknesses of our code (bandit) and, where PyPI's database is reachable, of all packages of the boards.
audit: $(VENV)/.audit
	$(BIN)/python .ci/audit

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.%: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch "$@"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
