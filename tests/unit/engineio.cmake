unit_test(eio_packet wire)
