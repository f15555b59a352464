"""What the commands of `maskcam-train` say of themselves in their --help."""

CLASSIFIER = """\
Fine-tunes the mask classifier: first a new head, then the upper blocks of the backbone (BatchNorm frozen).

--data may be given several times; each is one of
  a folder with with_mask/ and without_mask/   every picture is one face; train/ and val/ above or below them
  a COCO .json, or the folder of an export     Roboflow, Label Studio, CVAT, makesense
  a folder of Pascal VOC .xml, a YOLO data.yaml
  a crops.csv, its pictures in images/         columns file,label,x0,y0,x1,y1 (box, source, cluster, split, score)
Classes go by many spellings (WithMask, no_mask, mask_weared_incorrect); for others say --label OLD=NEW.

Labels are with_mask, without_mask, mask_worn_incorrectly and not_a_face (what a detector took for a face: a table
or a folder of its alarms). `balance` in the configuration says which of them the network tells, and how often each
is shown; masks, masks that hang too low and things are also drawn.

Near-duplicates are kept on one side of the split. The working folder gets classifier.keras, report.txt,
report.json, card.md, history.png, confusion.png and reliability.png. Started again after a kill, training goes on
after the last finished epoch."""

TUNE = """\
Goes on from a bundle's classifier with a few hundred faces of one door: first the head, then the upper blocks.
The labels of the bundle stay, also where the door shows only some of them.

A part of the door's faces is held back (near-duplicates stay together). What was is compared with what has become on
those faces, and on a general check: heads and things drawn by code, and the sets that --general names. Where the check
falls, less of the change is taken; where even a fifth of it makes it fall, nothing is kept.

From 500 whole scenes with labelled faces on (`what = "frame"` of [collect]) the detector goes on too, in some twenty
minutes on two cores, and is compared in the same way; where it is surely worse, the bundle's stays.

Afterwards:
  maskcam-convert bundle --classifier runs/door --out door-bundle
  maskcam pack --bundle door-bundle --key minisign.key door.tar
  maskcam update door.tar                                   on the device"""

INSPECT = """\
Reads one data set or several, in any of the formats of maskcam-train classifier, and says what it found: pictures that
cannot be used and why, classes by part, sizes of the faces, near-duplicates, pictures to validate on that have a
near-duplicate to train on, and the labels that a bundle's classifier does not believe. Nothing is changed."""

LABEL = """\
Serves a page on this machine: one picture after the other, those about which the bundle is least sure first, its guess
on them; a key or a button says what each face is, the mouse corrects the boxes. Nothing is sent anywhere.

What is kept is written at once, whole: into the COCO file, or into coco.json in a folder of plain pictures. Guesses are
written nowhere. From another machine: ssh -L 8766:127.0.0.1:8766 THIS-MACHINE"""

DETECTOR = """\
Trains the face detector, in the stages that the configuration describes, and measures its AP after each epoch.

It begins as YuNet, whose layers it has: --weights names YuNet's file, face_detection_yunet_2023mar.onnx of the OpenCV
Zoo, https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet (MIT). --start goes on from a trained
detector instead, or from that of a bundle.

--data and --val are pictures of whole scenes whose faces have boxes: COCO, Pascal VOC, YOLO or crops.csv. Folders of
faces say no boxes and are refused.

The working folder gets detector.keras, report.json and the history. Started again, it goes on after the last epoch.

examples: from YuNet's weights to the end, twenty minutes on two cores with PyTorch; a trained one with your own scenes
  maskcam-train detector configs/train/detector.toml --weights face_detection_yunet_2023mar.onnx \\
      --data settled/train.json --val settled/val.json --workdir runs/face
  maskcam-train detector door-detector --start edge/shipped --data door.json --val door-val.json --workdir runs/door"""

EVALUATE = """\
Prints a table with a row per source of the pictures, and a row per kind of face.

--data is any set that maskcam-train classifier reads; a detector wants boxes on whole scenes, no folders of faces."""

SETTLE = """\
Two detectors that others trained, and the one of a bundle, look at every picture of a COCO file:
  a face on which they agree, inside a box of a whole head, takes the place of that box
  a head in which they agree on nothing is ignored, in a source that draws whole heads
  a place that nobody annotated is ignored when one of them is sure of a face there
  what only the bundle sees, and no teacher even doubts, is listed as a false alarm

Look at some of what it changed before you train: a teacher can be wrong."""

CROPS = """\
A bundle's detector looks at annotated scenes, and what it finds becomes a table for maskcam-train classifier:
  not_a_face                     a box at a place where nobody annotated a face
  with_mask, without_mask, ...   the box in which it found a face, where it doubted
Each scene is looked at as it is, and again turned and badly lit. A place where a --teacher sees a face is left out.
The table also has the detector's scores: the classifier is taught what the detector does not know.

Every face must be annotated or ignored, or faces are taught as things: settle first, and look at what comes out:
  maskcam-train crops settled/train.json --out found
  maskcam-train inspect found --sheet found.jpg
  maskcam-train classifier CONFIG --data settled/train.json --data found"""

WORKDIR = "where everything is written"
WEIGHTS = "ImageNet weights of the backbone without top (.weights.h5) instead of the configuration's"
YUNET = "YuNet's file, which the training begins with, instead of the configuration's; 'none': random weights"

EXAMPLES = """\
examples:
  maskcam-train classifier --data dataset
  maskcam-train inspect dataset --sheet sheet.jpg
  maskcam-train label door
  maskcam-train tune --data door --start edge/shipped
  maskcam-train classifier configs/train/classifier.toml --data crops.csv --data train.json --workdir runs/mask
  maskcam-train classifier configs/train/tutorial.toml --data tutorial/ --also crops.csv --workdir runs/tutorial
  maskcam-train detector configs/train/detector.toml --weights face_detection_yunet_2023mar.onnx \\
      --data settled/train.json --val settled/val.json --workdir runs/face
  maskcam-train detector door-detector --start edge/shipped --data door.json --val door-val.json --workdir runs/door
  maskcam-train evaluate --data val.json --classifier runs/mask/classifier.keras"""
