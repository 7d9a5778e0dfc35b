"""Tables of patients, as people and spreadsheets write them."""

import pytest

from medkd.data_prep._patients import is_table, read_patients
from medkd.data_prep._splits import split_discovered

from .own_volumes import write_table
from .test_splits import published

ROWS = "patient,case\nA,c0\nA,c1\nB,c2\n"
PATIENTS = {"c0": "A", "c1": "A", "c2": "B"}


def test_a_row_without_a_case_is_named_after_its_patient(tmp_path):
    table = write_table(tmp_path, "Patient,Age\nc10,4\nc2,5\n")
    with pytest.warns(UserWarning, match="columns that are ignored: age"):
        assert read_patients(table, ["c2", "c10"]) == ({"c2": "c2", "c10": "c10"}, None)


WRITTEN = {
    "empty rows": f"\n{ROWS},,\n\n,\n".encode(),
    "byte order mark": ROWS.encode("utf-8-sig"),
    "semicolons": ROWS.replace(",", ";").encode("utf-8-sig"),
    "tabs in UTF-16": ROWS.replace(",", "\t").encode("utf-16"),
    "sep": b"sep=;\r\n" + ROWS.replace(",", ";").replace("\n", "\r\n").encode(),
    "quotes": b'"Patient ","Case"\r\n"A"," c0"\r\nA,c1\r\nB,"c2"\r\n',
    "empty columns": b"patient,case,,\nA,c0,,\nA,c1\nB,c2,,\n",
    "blanks around quotes": b'"patient" , "case"\n"A" , "c0" \n"A",  "c1"\nB, "c2"',
    "row names of R": b'"","patient","case"\n"1","A","c0"\n"2","A","c1"\n"3","B","c2"\n',
    "bars": ROWS.replace(",", "|").encode(),
    "UTF-16 without a mark": ROWS.encode("utf-16-le"),
    "marks without a width": ROWS.replace("c0", "\u200bc0\u200e\u00a0").encode(),
    "two marks": f"\ufeff{ROWS}".encode("utf-8-sig"),
    "old line ends": ROWS.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_spreadsheet_writes_is_read(tmp_path, name):
    table = write_table(tmp_path, "")
    table.write_bytes(WRITTEN[name])
    assert read_patients(table, PATIENTS) == (PATIENTS, None)


def test_a_head_line_with_another_delimiter_is_said(tmp_path):
    table = write_table(tmp_path, "patient,case\nA;c0\nA;c1\nB;c2\n")
    with pytest.warns(UserWarning, match="the rows are read with the delimiter ';', the head line has another"):
        assert read_patients(table, PATIENTS) == (PATIENTS, None)


def test_names_are_compared_in_one_form_and_parts_without_capitals(tmp_path):
    table = write_table(tmp_path, "patient,case,part\nA,Mu\u0308ller,Training\nB,b,VALIDATION\nC,c,test\n")
    assert read_patients(table, ["M\u00fcller", "b", "c"])[1] == {
        "training": ["M\u00fcller"],
        "validation": ["b"],
        "test": ["c"],
    }


REFUSED = {
    "patient\nM\u00fcller\n".encode("latin-1"): "not a text in UTF-8 .*save as 'CSV UTF-8'",
    b"PK\x03\x04" + b"\0" * 40: "found a workbook of a spreadsheet program, expected a table of text: save it as CSV",
    b"patient,case\nA,c0,c1\n": "line 2: found 3 cells, expected 2 as in the head line: .* needs quotes",
    b"patient,patient\nA,c0\n": "the head line has patient more than once",
    b'patient,case\nA,"c0\nA,c1\n': "line 3: not CSV",
    b"patient,case\nA,\n": "no case is named for the patients A",
    b"patient,case\nA,7\n": r"no such case: 7 .*; a spreadsheet drops the zeros",
    b"patient,case\nNA,c0\n#N/A,c1\nB,c2\n": "no patient is named for c0, c1",
    b"patient,case,split\nA,c0,train\n": "case c0: part 'train', expected one of training, validation, test",
    b"patient,case\nA\0,c0\n": "found the control character '.x00', expected a table of text",
    b"patient,case\n": "no row below the head line",
    b"": "the head line is .*, expected the column patient",
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_is_wrong_with_a_table_is_told(tmp_path, content):
    table = write_table(tmp_path, "")
    table.write_bytes(content)
    with pytest.raises(ValueError, match=f"patients.csv: {REFUSED[content]}"):
        read_patients(table, [*PATIENTS, "007"])


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "ods", "XLSX"])
def test_a_workbook_is_told_by_its_name(tmp_path, suffix):
    (tmp_path / f"table.{suffix}").write_bytes(b"anything")
    with pytest.raises(ValueError, match="save it as CSV"):
        split_discovered(published(5), tmp_path / f"table.{suffix}", 0, 5, 0)


def test_any_data_set_takes_a_table_of_patients(tmp_path):
    cases = published(10)
    table = write_table(
        tmp_path, "patient,case\n" + "".join(f"P{int(name[1:]) // 2},{name}\n" for name in cases.patients)
    )
    assert is_table(table) and not is_table("random") and not is_table(tmp_path / "split.json")
    splits = split_discovered(cases, table, 0, 5, 0)
    assert sorted(map(len, splits.values())) == [2, 2, 7] and cases.patients["c1"] == "P0"
