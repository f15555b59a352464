"""Our reader of FAT: file systems that are put together here, byte by byte, and damaged in one place each.

The layout: Microsoft, "FAT32 File System Specification", version 1.03.
"""

import struct
from itertools import pairwise

import pytest

from edge.core.errors import FlashError
from edge.operations.flash.fat import Fat

FOLDER, LABEL, LONG = 0x10, 0x08, 0x0F
END = {False: 0xFFFF, True: 0x0FFFFFFF}
COUNT = {False: 4085, True: 65525}
"""The fewest clusters of FAT16 and of FAT32."""


def entry(short, attributes=0, cluster=0, size=0, case=0, high=None):
    high = cluster >> 16 if high is None else high
    return struct.pack("<11sBB7xH4xHI", short, attributes, case, high, cluster & 0xFFFF, size)


def long_name(name, short, attributes=LONG):
    """The entries of a long name, last part first, in front of its short one."""
    text = name.encode("utf-16-le", "surrogatepass")
    if len(name) % 13:
        text = (text + b"\0\0").ljust(-(-len(name) // 13) * 26, b"\xff")
    parts = [text[at : at + 26] for at in range(0, len(text), 26)]
    last = len(parts)
    made = [
        bytes([number | (0x40 if number == last else 0)]) + part[:10] + bytes([attributes, 0, 0]) + part[10:22]
        + b"\0\0" + part[22:]
        for number, part in enumerate(parts, 1)
    ]  # fmt: skip
    return b"".join(reversed(made)) + short


class Disk:
    """A file system of clusters of 512 bytes, unless told otherwise; `chain` and `put` fill it, `write` writes it."""

    def __init__(self, wide=False, count=None, sector=512, per_cluster=1, copies=2, roots=32, reserved=3, offset=0):
        self.wide, self.count, self.sector, self.per_cluster = wide, count or COUNT[wide], sector, per_cluster
        self.copies, self.roots, self.reserved, self.offset = copies, 0 if wide else roots, reserved, offset
        self.cluster = sector * per_cluster
        self.table = [0xF8, END[wide]] + [0] * self.count
        self.data, self.root, self.sizes = {}, b"", {}
        self.signature, self.short = b"\x55\xaa", 0
        if wide:
            self.table[2] = END[True]

    def chain(self, *clusters):
        """Links the clusters in this order; returns the first."""
        for one, following in zip(clusters, (*clusters[1:], END[self.wide]), strict=True):
            self.table[one] = following
        return clusters[0]

    def put(self, data, *clusters):
        """Content in these clusters; returns the first."""
        for number, one in enumerate(clusters):
            self.data[one] = data[number * self.cluster : (number + 1) * self.cluster]
        return self.chain(*clusters)

    def write(self, path):
        width = 4 if self.wide else 2
        per_table = -(-(self.count + 2) * width // self.sector) - self.short
        tables = [self.tables(number)[: per_table * self.sector // width] for number in range(self.copies)]
        root_sectors = -(-self.roots * 32 // self.sector)
        total = self.reserved + self.copies * per_table + root_sectors + self.count * self.per_cluster
        small = total if total < 1 << 16 and not self.wide else 0
        head = bytearray(512)
        struct.pack_into("<HBHBHHBH", head, 11, self.sector, self.per_cluster, self.reserved, self.copies, self.roots,
                         small, 0xF8, 0 if self.wide else per_table)  # fmt: skip
        struct.pack_into("<I", head, 32, 0 if small else total)
        if self.wide:
            struct.pack_into("<I4xI", head, 36, per_table, 2)
            self.data[2] = self.root
        head[510:] = self.signature
        with path.open("wb") as file:
            file.truncate(self.offset + total * self.sector)
            file.seek(self.offset)
            file.write(head)
            for number, table in enumerate(tables):
                file.seek(self.offset + (self.reserved + number * per_table) * self.sector)
                file.write(struct.pack(f"<{len(table)}{'I' if self.wide else 'H'}", *table))
            start = self.offset + (self.reserved + self.copies * per_table) * self.sector
            if not self.wide:
                file.seek(start)
                file.write(self.root)
            for number, data in self.data.items():
                file.seek(start + root_sectors * self.sector + (number - 2) * self.cluster)
                file.write(data)
        return path

    def tables(self, number):
        return self.table


@pytest.fixture
def read(tmp_path):
    """read(disk): what our reader finds on it."""
    return lambda disk: Fat(disk.write(tmp_path / "disk"), disk.offset)


@pytest.fixture
def refused(tmp_path):
    def refused(disk):
        """What is said to be damaged."""
        path = disk.write(tmp_path / "disk")
        with pytest.raises(FlashError) as caught:
            Fat(path, disk.offset)
        before, _, after = f"{path}: its boot partition is damaged: |: write the image again".partition("|")
        assert str(caught.value).startswith(before)
        assert str(caught.value).endswith(after)
        return str(caught.value)[len(before) : -len(after)]

    return refused


def filled(**options):
    """A file in pieces, an empty one, and a folder in a folder, with names of every kind."""
    disk = Disk(**options)
    size = 2 * disk.cluster + 7
    content = bytes(range(256)) * (size // 256 + 1)
    first = disk.put(content[:size], 7, 5, 6)
    deep = entry(b"INNER   TXT", cluster=disk.put(b"inner", 10), size=5)
    dots = entry(b".          ", FOLDER, 9) + entry(b"..         ", FOLDER)
    sub = dots + entry(b"DEEP       ", FOLDER, disk.put(deep, 8), case=0x08)
    disk.root = b"".join([
        entry(b"BOOT       ", LABEL),
        entry(b"\xe5LD     TXT", cluster=7, size=7),
        long_name("A name of 26 letters, both", entry(b"ANAMEO~1   ", 0x20, first, size)),
        entry(b"EMPTY   TXT", case=0x10),
        entry(b"M\x81LLER  BIN", case=0x08),
        long_name("Folder ü.d", entry(b"FOLDER~1D  ", FOLDER, disk.put(sub, 9))),
    ])  # fmt: skip
    return disk, content[:size]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"wide": True, "reserved": 32},
        {"offset": 4096},
        {"copies": 1},
        {"copies": 3},
        {"per_cluster": 4},
        {"sector": 1024, "roots": 33},
        {"sector": 2048},
        {"sector": 4096, "roots": 129},
        {"count": 65524},
        {"count": 40000},
        {"count": 4094},
        {"roots": 20},
    ],
    ids=str,
)
def test_what_is_there_is_read_to_the_byte(read, options):
    disk, content = filled(**options)
    fat = read(disk)
    assert fat.names() == [
        "A name of 26 letters, both",
        "EMPTY.txt",
        "Folder ü.d",
        "müller.BIN",
    ]
    assert fat.names("Folder ü.d") == fat.names("FOLDER Ü.D") == ["deep"]
    assert fat.names("folder ü.d/DEEP") == ["INNER.TXT"]
    assert fat.names("no such") == []
    assert fat.read("a NAME of 26 letters, both") == content
    assert fat.read("Folder ü.d/deep/inner.txt") == b"inner"
    assert fat.read("empty.TXT") == b""
    assert fat.read("Folder ü.d") is None
    assert fat.read("no such") is None
    used = 6 + (1 if disk.wide else 0)
    assert fat.free() == (disk.count - used) * disk.cluster
    assert [file.clusters.tolist() for key, file in fat.files.items() if key.startswith("a ")] == [[7, 5, 6]]


def test_a_deleted_or_unused_long_name_is_nobodys(read):
    disk = Disk()
    orphan = long_name("Long and gone", b"")
    disk.root = b"".join([
        orphan, entry(b"\xe5NE     TXT"), entry(b"ONE     TXT"),
        orphan, entry(b"BOOT       ", LABEL), entry(b"TWO     TXT"),
        long_name("With other bits", entry(b"WITHOT~1   "), attributes=0xCF),
        entry(b"\0HREE   TXT"), entry(b"FOUR    TXT"),
    ])  # fmt: skip
    assert read(disk).names() == ["ONE.TXT", "TWO.TXT", "With other bits"]


def test_half_a_character_of_a_long_name_is_shown_as_one_that_is_unknown(read):
    disk = Disk()
    disk.root = long_name("a\ud800b", entry(b"AB         "))
    assert read(disk).names() == ["a\N{REPLACEMENT CHARACTER}b"]


def test_a_folder_without_room_for_one_more_entry(read):
    disk = Disk(roots=16)
    disk.root = b"".join(entry(b"%-8dTXT" % number) for number in range(16))
    disk.data[2] = entry(b"BEHIND  TXT")
    assert len(read(disk).names()) == 16


def test_what_stands_in_the_upper_half_of_a_cluster_counts_in_fat32_alone(read):
    disk = Disk()
    disk.root = entry(b"ONE     TXT", cluster=disk.put(b"one", 4), size=3, high=7)
    assert read(disk).read("one.txt") == b"one"
    disk = Disk(wide=True, count=70000)
    disk.root = entry(b"ONE     TXT", cluster=disk.put(b"one", 66000), size=3)
    assert read(disk).read("one.txt") == b"one"


def test_marks_of_a_mount_and_bad_clusters_are_no_damage(read):
    """The first two entries of a table are no clusters; their bits say whether it was unmounted."""
    for wide in (False, True):
        disk, content = filled(wide=wide)
        disk.table[50] = END[wide] - 8  # bad
        whole = list(disk.table)
        disk.tables = lambda number, whole=whole: [0xF0 + number, 0x7FFF + number, *whole[2:]]
        fat = read(disk)
        assert fat.read("a name of 26 letters, both") == content
        assert fat.free() == (disk.count - (8 if wide else 7)) * 512


def test_the_upper_four_bits_of_fat32_are_nobodys(read):
    disk, content = filled(wide=True)
    disk.table = [value | 0xA0000000 for value in disk.table]
    assert read(disk).read("a name of 26 letters, both") == content


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"signature": b"\x55\xab"}, "no FAT file system there"),
        ({"signature": b"\0\0"}, "no FAT file system there"),
        ({"copies": 0}, "cut off, or no FAT16 or FAT32"),
        ({"count": 4084}, "cut off, or no FAT16 or FAT32"),
        ({"short": 1}, "its table of clusters is too short"),
        ({"short": 1, "count": 4095}, "its table of clusters is too short"),
    ],
)
@pytest.mark.parametrize("offset", [0, 1024])
def test_a_head_that_does_not_add_up(refused, change, said, offset):
    geometry = {name: change[name] for name in ("count", "copies") if name in change}
    disk = Disk(offset=offset, **geometry)
    disk.signature, disk.short = change.get("signature", disk.signature), change.get("short", 0)
    assert refused(disk) == said


@pytest.mark.parametrize(("at", "value"), [(11, 0), (11, 1), (13, 0)])
def test_a_sector_or_cluster_of_no_size(tmp_path, at, value):
    path = Disk().write(tmp_path / "disk")
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<H" if at == 11 else "<B", value))
    with pytest.raises(FlashError, match="no FAT file system there"):
        Fat(path, 0)


def test_a_file_that_ends_before_its_file_system(tmp_path):
    path = Disk(offset=512).write(tmp_path / "disk")
    whole = path.stat().st_size
    assert Fat(path, 512).names() == []
    with path.open("r+b") as file:
        file.truncate(whole - 1)
    with pytest.raises(FlashError, match="cut off, or no FAT16 or FAT32"):
        Fat(path, 512)
    path.write_bytes(b"")
    with pytest.raises(FlashError, match="no FAT file system there"):
        Fat(path, 512)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("copy", "copies"), [(1, 2), (1, 3), (2, 3)])
@pytest.mark.parametrize("cluster", [2, -1])
def test_tables_that_differ(refused, wide, copy, copies, cluster):
    disk = Disk(wide=wide, copies=copies)
    whole = list(disk.table)
    other = [*whole]
    other[cluster] = 1234
    disk.tables = lambda number: other if number == copy else whole
    assert refused(disk) == "its tables of clusters differ from one another"


@pytest.mark.parametrize("wide", [False, True])
def test_clusters_of_no_file(refused, wide):
    disk, _ = filled(wide=wide)
    disk.chain(20)
    assert refused(disk) == "1 clusters belong to no file"
    disk.chain(20, 21, disk.count + 1)
    assert refused(disk) == "3 clusters belong to no file"


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("clusters", [[1], [0x7000 * 100], [4, 5, 4], [4, 9], [4, 1], [4, 0]])
def test_clusters_that_lead_astray(refused, wide, clusters):
    """Out of the table, in a circle, into another file, or to nowhere."""
    disk = Disk(wide=wide)
    other = entry(b"OTHER   TXT", cluster=disk.put(b"other", 9), size=5)
    for one, following in pairwise(clusters):
        disk.table[one] = following
    first = clusters[0] if wide or clusters[0] < 1 << 16 else COUNT[False] + 2
    disk.root = other + entry(b"ONE     TXT", cluster=first, size=3 * 512)
    assert refused(disk) == "ONE.TXT: its clusters lead astray, or belong to another file, too"


def test_a_root_of_fat32_that_leads_astray(refused):
    disk = Disk(wide=True)
    disk.table[2] = 1
    assert refused(disk) == "/: its clusters lead astray, or belong to another file, too"


def test_the_last_cluster_is_one(read):
    disk = Disk()
    disk.root = entry(b"ONE     TXT", cluster=disk.put(b"one", COUNT[False] + 1), size=3)
    assert read(disk).read("one.txt") == b"one"


@pytest.mark.parametrize(
    ("size", "clusters", "said"),
    [
        (1025, (4, 5), "ONE.TXT: 1025 bytes in 2 clusters of 512"),
        (512, (4, 5), "ONE.TXT: 512 bytes in 2 clusters of 512"),
        (0, (4,), "ONE.TXT: 0 bytes in 1 clusters of 512"),
        (1, (), "ONE.TXT: 1 bytes in 0 clusters of 512"),
    ],
)
def test_a_size_that_its_clusters_do_not_have(refused, size, clusters, said):
    disk = Disk()
    disk.root = entry(b"ONE     TXT", cluster=disk.chain(*clusters) if clusters else 0, size=size)
    assert refused(disk) == said


def test_a_file_in_every_second_cluster(read):
    disk = Disk()
    content = bytes(range(256)) * 6
    disk.root = entry(b"ONE     TXT", cluster=disk.put(content, 4, 6, 8), size=len(content))
    disk.data |= {5: b"x" * 512, 7: b"x" * 512}
    assert read(disk).read("one.txt") == content


@pytest.mark.parametrize("mark", [0xFFF8, 0xFFFB, 0xFFFF])
def test_every_mark_of_an_end_is_one(read, mark):
    disk = Disk()
    disk.root = entry(b"ONE     TXT", cluster=disk.put(b"x" * 600, 4, 5), size=600)
    disk.table[5] = mark
    assert read(disk).read("one.txt") == b"x" * 600


def test_a_file_of_more_than_two_gigabytes(read):
    disk = Disk(sector=4096, per_cluster=128, count=5000)
    size = (1 << 31) + 5
    disk.root = entry(b"BIG     BIN", cluster=disk.chain(*range(2, 2 + -(-size // disk.cluster))), size=size)
    assert read(disk).files["big.bin"].size == size


@pytest.mark.parametrize("size", [513, 1024])
def test_a_file_that_fills_its_clusters(read, size):
    disk = Disk()
    disk.root = entry(b"ONE     TXT", cluster=disk.put(b"x" * size, 4, 5), size=size)
    assert read(disk).read("one.txt") == b"x" * size


def test_folders_that_never_end(read, refused):
    """Twenty-one, one in the other, are read; twenty-two are not."""

    def nested(depth):
        disk = Disk()
        for number in range(depth, 1, -1):
            disk.put(entry(b"D          ", FOLDER, number + 10) if number < depth else b"", number + 9)
        disk.root = entry(b"D          ", FOLDER, 11)
        return disk

    assert read(nested(22)).files["/".join("d" * 21)].folder
    assert refused(nested(23)) == "/".join("D" * 22) + ": a folder that begins nowhere, or never ends"
    disk = Disk()
    disk.root = entry(b"D          ", FOLDER)
    assert refused(disk) == "D: a folder that begins nowhere, or never ends"


def test_a_name_that_is_there_twice(refused):
    disk = Disk()
    disk.root = entry(b"ONE     TXT") + long_name("one.Txt", entry(b"ONE~1   TXT"))
    assert refused(disk) == "one.Txt: there twice"
