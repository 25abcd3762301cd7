unit_test(assign_queue chat)
unit_test(assign_rule chat)
unit_test(assign_sim chat)
