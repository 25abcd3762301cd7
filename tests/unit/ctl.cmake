unit_test(command ctl)
unit_test(ctl_frame ctl)
unit_test(output sioctl_output)
unit_test(words ctl)
