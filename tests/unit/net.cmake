unit_test(ws_frame wire)
unit_test(timer net)
unit_test(http net)
