unit_test(eio_packet wire)
unit_test(engineio engineio)
target_sources(test_engineio PRIVATE eio_rig.c)
