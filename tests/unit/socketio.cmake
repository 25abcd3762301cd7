unit_test(sio_packet wire)
