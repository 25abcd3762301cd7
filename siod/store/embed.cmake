# cmake -DSQL="a.sql b.sql" -DOUTPUT=migrations.c -P embed.cmake: numbered .sql files as C arrays.
# The number is the schema version that the file leads to; they must count up from 1.
separate_arguments(SQL)
set(expected 1)
set(bodies "")
set(rows "")
foreach(file ${SQL})
    get_filename_component(name ${file} NAME_WE)
    if(NOT name MATCHES "^([0-9][0-9][0-9])-" OR NOT CMAKE_MATCH_1 EQUAL expected)
        message(FATAL_ERROR "${file}: expected migration number ${expected}")
    endif()
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "((0x..,){16})" "\\1\n    " bytes "${bytes}")
    string(APPEND bodies "static const unsigned char sql_${expected}[] = {\n    ${bytes} 0x00,\n};\n")
    string(APPEND rows "    { \"${name}\", (const char *)sql_${expected} },\n")
    math(EXPR expected "${expected} + 1")
endforeach()
math(EXPR count "${expected} - 1")
file(WRITE ${OUTPUT} "#include \"siod/store/sqlite.h\"\n\n${bodies}\n"
    "const struct sqlite_migration sqlite_migrations[] = {\n${rows}};\n"
    "const unsigned sqlite_migration_count = ${count};\n")
