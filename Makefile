# The two that matter: `make run` and `make test`. Both install what is missing, build, and are quick the second time.

BUILD ?= build
DATA ?= data

.PHONY: run build test deps web asan tsan fuzz torture voyage hostile peers e2e demo bench tidy docs clean

run: build
	exec $(BUILD)/evenkeel run --data $(DATA) $(ARGS)

deps:
	scripts/deps.sh build

web: deps
	if [ -x scripts/web.sh ]; then scripts/web.sh; fi

build: deps web
	scripts/build.sh $(BUILD)

test: build
	scripts/deps.sh test
	scripts/test.sh $(BUILD)

asan tsan: deps
	scripts/sanitize.sh $@

fuzz: deps
	scripts/fuzz.sh $(SECONDS_EACH)

torture: build
	$(BUILD)/tests/torture

voyage: build
	$(BUILD)/tests/voyage/disk_voyage --seeds $(or $(SEEDS),200) --first $(or $(SEED),1)
	$(BUILD)/tests/voyage/loop_voyage --seeds $(or $(SEEDS),50) --first $(or $(SEED),1)

hostile: build
	python3 tests/hostile/hostile.py $(BUILD)/evenkeel

peers: build
	scripts/deps.sh test
	meson test -C $(BUILD) --suite peers --print-errorlogs

e2e: build
	scripts/deps.sh test
	scripts/e2e.sh $(BUILD)/evenkeel

demo: build
	scripts/deps.sh test
	python3 demo/demo.py $(BUILD)/evenkeel $(BUILD)/peers --seeds $(or $(SEEDS),1) --first $(or $(SEED),1)

bench: build
	bench/run.sh $(BUILD) $(if $(QUICK),--quick)

tidy:
	python3 scripts/tidy.py

docs: build
	scripts/docs.sh $(BUILD)/evenkeel

clean:
	rm -rf $(BUILD) build-asan build-tsan build-fuzz
