# Both networks and the bundle from annotated pictures, in one command:
#
#   make -f configs/train/networks.mk TRAIN=train.json VAL=val.json OUT=runs/networks \
#       YUNET=face_detection_yunet_2026may.onnx RFB=RFB-640-masked_face-v2.onnx CROPS=crops.csv
#
# The same command goes on where a run was stopped: a finished stage is not repeated, and a training goes on after its last
# epoch. Wants the extras train and convert. An hour and three quarters on two busy cores for 5,923 pictures.

TRAIN   ?=# scenes to learn from: COCO, its pictures in images/ beside it
VAL     ?=# scenes to measure and to choose thresholds on
TRUST   ?=# sources in TRAIN whose annotations stay as they are
CROPS   ?=# further labelled faces for the classifier: tables, COCO files or folders
YUNET   ?=# teachers: YuNet's file, with which the detector also begins, and Ultra-Light RFB-640's
RFB     ?=
IMAGENET ?=# weights of MobileNetV2 for the classifier; empty: Keras downloads them
OUT     ?= runs/networks
DETECTOR   ?= configs/train/detector.toml
CLASSIFIER ?= configs/train/classifier.toml
CONVERT    ?= configs/convert.toml
LOOKS   ?= 3
WORKERS ?= 2
MASKCAM_TRAIN    ?= maskcam-train
MASKCAM_DETECTOR ?= $(MASKCAM_TRAIN)# that of an environment with PyTorch trains the detector in half of the time:
#   MASKCAM_DETECTOR="env KERAS_BACKEND=torch other/bin/maskcam-train"
MASKCAM_CONVERT  ?= maskcam-convert

one = $(filter 1-1,$(words $($(1)))-$(words $(wildcard $($(1)))))
$(foreach name,TRAIN VAL YUNET RFB,$(if $(call one,$(name)),,$(error $(name) = '$($(name))': expected one file that is there, without spaces in its name; see the first lines of configs/train/networks.mk)))

teachers = --teacher $(YUNET) --teacher $(RFB)
scenes   = --calibration $(OUT)/settled/train/train.json --validation $(OUT)/settled/val/val.json --config $(CONVERT)

$(OUT)/bundle/bundle.json: $(OUT)/classifier/done
	$(MASKCAM_CONVERT) bundle --detector $(OUT)/first --classifier $(OUT)/classifier $(scenes) --even-if-worse --out $(@D)

$(OUT)/classifier/done: $(OUT)/boxes/crops.csv
	$(MASKCAM_TRAIN) classifier $(CLASSIFIER) $(CROPS:%=--data %) --data $(OUT)/settled/train/train.json \
	  --data $(OUT)/settled/val/val.json --data $(OUT)/boxes $(IMAGENET:%=--weights %) --workers $(WORKERS) --workdir $(@D)
	touch $@

$(OUT)/boxes/crops.csv: $(OUT)/first/bundle.json
	$(MASKCAM_TRAIN) crops $(OUT)/settled/train/train.json --bundle $(OUT)/first $(teachers) --looks $(LOOKS) --out $(@D)

# The detector beside the shipped classifier: `crops` asks a bundle, whose scores are probabilities.
$(OUT)/first/bundle.json: $(OUT)/detector/done
	$(MASKCAM_CONVERT) bundle --detector $(OUT)/detector --classifier edge/shipped $(scenes) --even-if-worse --out $(@D)

$(OUT)/detector/done: $(OUT)/settled/train/train.json $(OUT)/settled/val/val.json
	$(MASKCAM_DETECTOR) detector $(DETECTOR) --weights $(YUNET) --data $(OUT)/settled/train/train.json \
	  --val $(OUT)/settled/val/val.json --workers $(WORKERS) --workdir $(@D)
	touch $@

$(OUT)/settled/train/train.json: $(TRAIN)
$(OUT)/settled/val/val.json: $(VAL)
$(OUT)/settled/%.json:
	mkdir -p $(@D)
	ln -sfn $(abspath $(<D)/images) $(@D)/images
	$(MASKCAM_TRAIN) settle $< $(teachers) $(TRUST:%=--trust %) --out $@
